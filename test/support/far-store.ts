import { setImmediate } from 'node:timers/promises'
import { onAbort } from '../../src/backend/call.js'
import type { Signal } from '../../src/backend/call-signal.js'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ByteRange, ObjectInfo, PrepareReadOptions, ReadPlan, ReadSink } from '../../src/backend/object-store.js'
import { StoreError } from '../../src/backend/store-error.js'

interface Event {
  readonly atMs: number
  readonly run: () => void
}

/** Time that passes only when everything that can happen has happened. */
export class VirtualTime {
  nowMs = 0
  #events: Event[] = []

  after(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, run }
    const later = this.#events.findIndex(other => other.atMs > event.atMs)
    this.#events.splice(later < 0 ? this.#events.length : later, 0, event)
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => this.after(delayMs, resolve))
  }

  /** Lets time pass until `work` has ended, and calls `check` at every step. */
  async until<T>(work: Promise<T>, check: () => void = () => undefined): Promise<T> {
    let ended = false
    const end = () => {
      ended = true
    }
    work.then(end, end)
    for (;;) {
      await setImmediate()
      check()
      if (ended) return work
      const next = this.#events.shift()
      if (next === undefined) throw new Error('nothing more will happen, and the work has not ended')
      this.nowMs = next.atMs
      next.run()
    }
  }
}

/** What lies between a machine and its store. */
export interface Way {
  readonly latencyMs: number
  readonly connectionBytesPerMs: number
  /** All connections together. */
  readonly bytesPerMs: number
}

const CHUNK_BYTES = 128 * 1024

/** A store at the end of a way, in virtual time. Its objects have any size, and no bytes: their memory is left as it is. */
export class FarStore extends StoreLayer {
  readonly ranges: ByteRange[] = []
  sentBytes = 0
  /** Requests under way, and as many as ever were. */
  open = 0
  mostOpen = 0
  readonly #time: VirtualTime
  readonly #way: Way
  #freeAtMs = 0

  constructor(time: VirtualTime, way: Way) {
    super(openMemoryStore(`far-${time.nowMs}`))
    this.#time = time
    this.#way = way
  }

  override async prepareRead(key: string, range: ByteRange, options: PrepareReadOptions = {}): Promise<ReadPlan> {
    return { key, range, run: (sink, signal) => this.#run(key, range, options, sink, signal) }
  }

  async #run(
    key: string,
    range: ByteRange,
    { ifMatch = '' }: PrepareReadOptions,
    sink: ReadSink,
    signal: Signal | undefined,
  ): Promise<ObjectInfo> {
    const { latencyMs, connectionBytesPerMs, bytesPerMs } = this.#way
    this.ranges.push(range)
    this.open += 1
    this.mostOpen = Math.max(this.mostOpen, this.open)
    let isAborted = false
    const forget = onAbort(signal, () => {
      isAborted = true
    })
    await this.#time.sleep(latencyMs)
    for (let done = 0; done < range.lengthBytes && !isAborted; ) {
      const bytes = Math.min(CHUNK_BYTES, range.lengthBytes - done, sink.free().byteLength)
      this.#freeAtMs = Math.max(this.#freeAtMs, this.#time.nowMs) + bytes / bytesPerMs
      await this.#time.sleep(Math.max(bytes / connectionBytesPerMs, this.#freeAtMs - this.#time.nowMs))
      sink.advance(bytes)
      this.sentBytes += bytes
      done += bytes
    }
    forget()
    this.open -= 1
    if (isAborted) throw new StoreError('aborted', 'nobody reads on', { operation: 'get' })
    return { key, etag: ifMatch, sizeBytes: 0, lastModifiedMs: 0, metadata: {}, headers: {} }
  }
}
