import { BufferPool } from '../../fs/buffer-pool.js'
import type { Hold } from '../../fs/lent.js'
import { alignedMemory } from '../../system/aligned-memory.js'
import { MAX_TRANSFER_BYTES } from '../protocol/init.js'
import { IN_HEADER_BYTES, WRITE_IN_BYTES } from '../protocol/layout.js'
import { type Message, messageOf } from '../protocol/message.js'

/** The kernel refuses a read into less than the largest WRITE; other requests with long names fit as well. */
const BUFFER_BYTES = Math.ceil((IN_HEADER_BYTES + WRITE_IN_BYTES + MAX_TRANSFER_BYTES) / 8192) * 8192

/** Data up to this size is copied, so that a waiting small write does not hold a large buffer. */
const COPIED_BYTES = 32 << 10

/** Data from this size on fills its buffer well enough that who takes it may hold the buffer for long. */
const HOLDABLE_BYTES = MAX_TRANSFER_BYTES / 2

/** The data of one WRITE, valid until it is released, and beyond where it is held. */
export interface Lease {
  readonly data: Uint8Array
  readonly hold?: Hold | undefined
  release(): void
}

/**
 * The buffers that requests are read into. `current` takes the next one; a WRITE keeps it until the filesystem has taken
 * the data, and another one steps in. What all unfinished writes hold is bounded: `full` says to stop reading. What is
 * held beyond that is bounded by who holds it.
 */
export class WriteBuffers {
  readonly #limitBytes: number
  readonly #onRoom: () => void
  readonly #pool = new BufferPool(BUFFER_BYTES, {
    // So that the data of a WRITE can go to the disk as it is.
    allocate: sizeBytes => alignedMemory(sizeBytes, IN_HEADER_BYTES + WRITE_IN_BYTES),
  })
  #current: Message = messageOf(this.#pool.take())
  #leasedBytes = 0

  /** `onRoom` is called when buffers are no longer `full`. */
  constructor(limitBytes: number, onRoom: () => void) {
    this.#limitBytes = limitBytes
    this.#onRoom = onRoom
  }

  get current(): Message {
    return this.#current
  }

  get full(): boolean {
    return this.#leasedBytes >= this.#limitBytes
  }

  /** Keeps a part of `current` beyond the present call. */
  keep(start: number, sizeBytes: number): Lease {
    if (sizeBytes <= COPIED_BYTES) {
      const data = Buffer.allocUnsafe(sizeBytes)
      this.#current.bytes.copy(data, 0, start, start + sizeBytes)
      return { data, release: this.#lease(sizeBytes) }
    }
    const buffer = this.#current.bytes
    this.#current = messageOf(this.#pool.take())
    const data = buffer.subarray(start, start + sizeBytes)
    const endLease = this.#lease(BUFFER_BYTES)
    const use = this.#shared(buffer)
    const endUse = use()
    const release = () => {
      endLease()
      endUse()
    }
    return { data, release, hold: sizeBytes >= HOLDABLE_BYTES ? use : undefined }
  }

  #lease(sizeBytes: number): () => void {
    this.#leasedBytes += sizeBytes
    return once(() => {
      const wasFull = this.full
      this.#leasedBytes -= sizeBytes
      if (wasFull && !this.full) this.#onRoom()
    })
  }

  /** The buffer goes back when nobody holds it any more. */
  #shared(buffer: Buffer): Hold {
    let users = 0
    return () => {
      users += 1
      return once(() => {
        users -= 1
        if (users === 0) this.#pool.give(buffer)
      })
    }
  }
}

function once(task: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    task()
  }
}
