import { MAX_TRANSFER_BYTES } from '../protocol/init.js'
import { IN_HEADER_BYTES, WRITE_IN_BYTES } from '../protocol/layout.js'

/** The kernel refuses a read into less than the largest WRITE; other requests with long names fit as well. */
const BUFFER_BYTES = Math.ceil((IN_HEADER_BYTES + WRITE_IN_BYTES + MAX_TRANSFER_BYTES) / 8192) * 8192

/** Data up to this size is copied, so that a waiting small write does not hold a large buffer. */
const COPIED_BYTES = 32 << 10

/** Spare buffers that are kept for the next burst. */
const SPARE_BUFFERS = 4

/** The data of one WRITE, valid until it is released. */
export interface Lease {
  readonly data: Uint8Array
  release(): void
}

/**
 * The buffers that requests are read into. `current` takes the next one; a WRITE keeps it until the filesystem has taken
 * the data, and another one steps in. What all unfinished writes hold is bounded: `full` says to stop reading.
 */
export class WriteBuffers {
  readonly #limitBytes: number
  readonly #onRoom: () => void
  readonly #spare: Buffer[] = []
  #current: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #heldBytes = 0

  /** `onRoom` is called when buffers are no longer `full`. */
  constructor(limitBytes: number, onRoom: () => void) {
    this.#limitBytes = limitBytes
    this.#onRoom = onRoom
  }

  get current(): Buffer {
    return this.#current
  }

  get full(): boolean {
    return this.#heldBytes >= this.#limitBytes
  }

  /** Keeps a part of `current` beyond the present call. */
  keep(start: number, sizeBytes: number): Lease {
    if (sizeBytes <= COPIED_BYTES) {
      const data = Buffer.allocUnsafeSlow(sizeBytes)
      this.#current.copy(data, 0, start, start + sizeBytes)
      return this.#lease(data, sizeBytes, undefined)
    }
    const buffer = this.#current
    this.#current = this.#spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
    return this.#lease(buffer.subarray(start, start + sizeBytes), BUFFER_BYTES, buffer)
  }

  #lease(data: Uint8Array, heldBytes: number, buffer: Buffer | undefined): Lease {
    this.#heldBytes += heldBytes
    let held = true
    return {
      data,
      release: () => {
        if (!held) return
        held = false
        const wasFull = this.full
        this.#heldBytes -= heldBytes
        if (buffer !== undefined && this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer)
        if (wasFull && !this.full) this.#onRoom()
      },
    }
  }
}
