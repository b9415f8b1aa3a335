import { abortedError, onAbort } from '../backend/call.js'
import type { ByteRange, ObjectInfo, ObjectStore, ReadSink } from '../backend/object-store.js'
import { DOWNLOAD_BYTES, type DownloadMemory } from './download-memory.js'

/** Requests of one object on their way at once. */
const REQUESTS_AT_ONCE = 6

export interface DownloadOptions {
  readonly key: string
  readonly etag: string
  readonly offset: number
  /** The first byte that is not wanted any more. */
  readonly end: number
  readonly memory: DownloadMemory
  readonly signal: AbortSignal | undefined
  /** Takes the bytes in their order; the next are kept back until it has resolved. They are valid only until then. */
  readonly write: (bytes: Uint8Array, info: ObjectInfo) => Promise<void>
}

/** Fetches a part of one version with several requests at once, in bounded memory. The first failure ends it. */
export async function download(store: ObjectStore, options: DownloadOptions): Promise<void> {
  const { signal, memory, end, key } = options
  const given = new AbortController()
  const forget = onAbort(signal, () => given.abort(signal?.reason))
  const underWay: FetchedPiece[] = []
  let at = options.offset
  const start = (piece: Buffer) => {
    const range = { offset: at, lengthBytes: Math.min(DOWNLOAD_BYTES, end - at) }
    underWay.push(new FetchedPiece(store, options, range, piece, given.signal))
    at += range.lengthBytes
  }
  try {
    while (at < end || underWay.length > 0) {
      // Only who has nothing under way waits for memory: whoever holds some goes on and gives it back.
      if (underWay.length === 0) start(await memory.take())
      while (at < end && underWay.length < REQUESTS_AT_ONCE) {
        const piece = memory.tryTake()
        if (piece === undefined) break
        start(piece)
      }
      await underWay[0]?.handOver(options.write)
      underWay.shift()?.giveBack(memory)
      if (signal?.aborted === true) throw abortedError(signal, 'get', key)
    }
  } finally {
    forget()
    given.abort()
    await Promise.all(underWay.map(piece => piece.ended.then(() => piece.giveBack(memory))))
  }
}

/** One request and the memory that it fills. */
class FetchedPiece {
  /** Never rejects. */
  readonly ended: Promise<void>
  readonly #memory: Buffer
  readonly #fetched: Promise<ObjectInfo>
  #filledBytes = 0

  constructor(
    store: ObjectStore,
    { key, etag }: DownloadOptions,
    range: ByteRange,
    memory: Buffer,
    signal: AbortSignal,
  ) {
    this.#memory = memory
    const sink: ReadSink = {
      free: () => memory.subarray(this.#filledBytes, range.lengthBytes),
      advance: bytes => {
        this.#filledBytes += bytes
      },
    }
    this.#fetched = store.prepareRead(key, range, { ifMatch: etag, signal }).then(plan => plan.run(sink, signal))
    this.ended = this.#fetched.then(
      () => undefined,
      () => undefined,
    )
  }

  async handOver(write: DownloadOptions['write']): Promise<void> {
    const info = await this.#fetched
    await write(this.#memory.subarray(0, this.#filledBytes), info)
  }

  giveBack(memory: DownloadMemory): void {
    memory.give(this.#memory)
  }
}
