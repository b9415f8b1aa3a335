import type { BlockCache } from '../cache/block-cache.js'
import type { BlockSource } from '../cache/lanes/main-lane.js'
import type { ReadReply } from '../cache/lanes/read-reply.js'
import type { FileWriter } from './file-writer.js'
import { FsError } from './fs-error.js'
import { type Piece, piecesOf } from './pieces.js'

/** How one handle has been read so far. It is also the owner of its read-ahead in the block cache. */
export class ReadPattern {
  /** Where a sequential reader reads next. */
  nextOffset = 0
  /** How far ahead is fetched; 0 while reading jumps about. */
  windowBytes = 0
  /** All up to here has been asked for. */
  aheadTo = 0
}

/** Reads of several threads of the kernel overtake each other by this much at the most and still count as sequential. */
const REORDER_BYTES = 4 * 1024 * 1024

const FIRST_WINDOW_BYTES = 512 * 1024

/** One request of read-ahead carries at most this much, so that several run side by side. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024

/** Answers reads from the block cache, with a window of read-ahead that doubles while reading is sequential. */
export class Reader {
  readonly #blocks: BlockCache
  readonly #maxWindowBytes: number

  constructor(blocks: BlockCache, maxWindowBytes: number) {
    this.#blocks = blocks
    this.#maxWindowBytes = maxWindowBytes
  }

  /** A read of a stored version. */
  read(
    source: BlockSource,
    offset: number,
    sizeBytes: number,
    pattern: ReadPattern,
    reply: ReadReply,
    signal: AbortSignal,
  ): Promise<void> {
    // What is waited for is asked first, so that it gets the first connection.
    const answered = this.#blocks.read(source, offset, sizeBytes, reply, signal)
    this.#readAhead(source, offset, sizeBytes, pattern)
    return answered
  }

  /** Fetches the beginning of a version, which the cache then holds; with it comes what is kept beside the bytes. */
  async peek(source: BlockSource): Promise<void> {
    await this.#blocks.fetch(source, 0)
  }

  /** A read of a file that is being written: local bytes over those of stored objects. */
  async readWritten(
    writer: FileWriter,
    offset: number,
    sizeBytes: number,
    pattern: ReadPattern,
    reply: ReadReply,
    signal: AbortSignal,
  ): Promise<void> {
    const { file } = writer
    const pieces = piecesOf(file, offset, offset + sizeBytes)
    const only = pieces[0]
    if (pieces.length === 1 && only?.kind === 'remote')
      return this.read(only.version, only.offset, only.end - offset, pattern, reply, signal)
    const use = file.content.use()
    try {
      const views = await Promise.all(
        pieces.map(piece =>
          piece.kind === 'local' ? file.content.read(piece.start, piece.end) : this.#readRemote(piece, signal),
        ),
      )
      reply.send(views, () => undefined)
    } finally {
      await use.done()
    }
  }

  /** Bytes of a stored version in memory of their own. */
  readBytes(source: BlockSource, offset: number, sizeBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#blocks.readBytes(source, offset, sizeBytes, signal)
  }

  /** The handle is closed. */
  end(pattern: ReadPattern): void {
    if (pattern.aheadTo > 0) this.#blocks.cancelReadAhead(pattern)
  }

  async #readRemote(piece: Piece, signal: AbortSignal): Promise<Uint8Array> {
    if (piece.kind === 'remote') return this.readBytes(piece.version, piece.offset, piece.end - piece.start, signal)
    if (piece.kind === 'zero') return Buffer.alloc(piece.end - piece.start)
    throw new FsError('EIO', 'these bytes are only in the parts of an upload: staging had no room (--staging-size)')
  }

  #readAhead(source: BlockSource, offset: number, sizeBytes: number, pattern: ReadPattern): void {
    const isSequential = Math.abs(offset - pattern.nextOffset) <= (pattern.windowBytes > 0 ? REORDER_BYTES : 0)
    const end = offset + sizeBytes
    if (!isSequential) {
      pattern.windowBytes = 0
      pattern.nextOffset = end
      pattern.aheadTo = end
      return
    }
    pattern.nextOffset = Math.max(pattern.nextOffset, end)
    pattern.windowBytes = Math.min(this.#maxWindowBytes, Math.max(FIRST_WINDOW_BYTES, pattern.windowBytes * 2))
    const target = Math.min(end + pattern.windowBytes, source.sizeBytes)
    const requestBytes = Math.min(MAX_REQUEST_BYTES, Math.max(this.#blocks.blockSizeBytes, pattern.windowBytes / 4))
    pattern.aheadTo = Math.max(pattern.aheadTo, end)
    // Whole requests only: a window that moves by every read would end in many small ones.
    while (pattern.aheadTo < target && (target - pattern.aheadTo >= requestBytes || target === source.sizeBytes)) {
      const reached = this.#blocks.readAhead(source, pattern.aheadTo, requestBytes, pattern)
      if (reached <= pattern.aheadTo) return
      pattern.aheadTo = reached
    }
  }
}
