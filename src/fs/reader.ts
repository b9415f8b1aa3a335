import type { BlockSource } from '../cache/block.js'
import type { Caller } from '../cache/block-answer.js'
import type { BlockCache } from '../cache/block-cache.js'
import type { ReadReply } from '../cache/lanes/read-reply.js'
import type { HandleReads } from './file-reads.js'
import type { FileWriter } from './file-writer.js'
import { FsError } from './fs-error.js'
import { type Piece, piecesOf } from './pieces.js'
import type { ReadPattern } from './read-pattern.js'

/** Objects of at most this size are fetched whole by who reads their beginning. */
const WHOLE_BYTES = 256 * 1024

/** What opening a larger one fetches of it: as much as the kernel asks for first. */
const PEEK_BYTES = 128 * 1024

/** Answers reads from the block cache, and fetches ahead of who reads from front to back. */
export class Reader {
  readonly #blocks: BlockCache
  readonly #maxWindowBytes: number
  readonly #nowMs: () => number

  constructor(blocks: BlockCache, maxWindowBytes: number, nowMs: () => number) {
    this.#blocks = blocks
    this.#maxWindowBytes = maxWindowBytes
    this.#nowMs = nowMs
  }

  /** A read of a stored version. */
  read(
    source: BlockSource,
    offset: number,
    sizeBytes: number,
    reads: HandleReads,
    reply: ReadReply,
    caller: Caller,
  ): Promise<void> {
    const left = this.#maxWindowBytes > 0 ? this.#readAhead(source, offset, sizeBytes, reads) : undefined
    const answered = this.#blocks.read(source, offset, sizeBytes, reply, caller)
    // What is waited for by now is not given up.
    if (left !== undefined) this.#leave(source, reads, left)
    return answered
  }

  /** Fetches the beginning of a version, which the cache then holds; with it comes what is kept beside the bytes. */
  async peek(source: BlockSource, signal: AbortSignal): Promise<void> {
    const { sizeBytes } = source
    await this.#blocks.fetch(source, 0, sizeBytes <= WHOLE_BYTES ? sizeBytes : PEEK_BYTES, signal)
  }

  /** A read of a file that is being written: local bytes over those of stored objects. */
  async readWritten(
    writer: FileWriter,
    offset: number,
    sizeBytes: number,
    reads: HandleReads,
    reply: ReadReply,
    caller: Caller,
  ): Promise<void> {
    const { file } = writer
    const pieces = piecesOf(file, offset, offset + sizeBytes)
    const only = pieces[0]
    if (pieces.length === 1 && only?.kind === 'remote')
      return this.read(only.version, only.offset, only.end - offset, reads, reply, caller)
    const use = file.content.use()
    try {
      const views = await Promise.all(
        pieces.map(piece =>
          piece.kind === 'local' ? file.content.read(piece.start, piece.end) : this.#readRemote(piece, caller.signal),
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

  /** Resolves soon, when what was fetched is where the tier below memory keeps it. */
  settled(): Promise<void> {
    return this.#blocks.settled()
  }

  /** The handle, of a file that shows `source`, is closed. */
  end(source: BlockSource | undefined, reads: HandleReads): void {
    const left = reads.end()
    if (left !== undefined) this.#leave(source, reads, left)
  }

  /** Nobody follows a pattern any more, or it has begun anew: what was brought for it is given up, or another's. */
  #leave(source: BlockSource | undefined, reads: HandleReads, left: ReadPattern): void {
    const heir = reads.file.heirOf(left)
    if (heir !== undefined && source !== undefined) this.#blocks.handOver(source, left, heir)
    this.#blocks.cancelReadAhead(left)
  }

  async #readRemote(piece: Piece, signal: AbortSignal): Promise<Uint8Array> {
    if (piece.kind === 'remote') return this.readBytes(piece.version, piece.offset, piece.end - piece.start, signal)
    if (piece.kind === 'zero') return Buffer.alloc(piece.end - piece.start)
    throw new FsError('EIO', 'these bytes are only in the parts of an upload: staging had no room (--staging-size)')
  }

  /** Answers with what is to be left then. */
  #readAhead(source: BlockSource, offset: number, sizeBytes: number, reads: HandleReads): ReadPattern | undefined {
    const left = reads.read(offset, sizeBytes, this.#nowMs())
    const { pattern } = reads
    if (pattern.isStream) this.#keepAhead(source, offset, sizeBytes, pattern)
    else if (source.sizeBytes <= WHOLE_BYTES) {
      if (offset === 0) this.#blocks.readAhead(source, 0, source.sizeBytes, pattern)
      // Whoever reads here and there in it reads what was brought.
      return left === pattern ? undefined : left
    }
    return left
  }

  #keepAhead(source: BlockSource, offset: number, sizeBytes: number, pattern: ReadPattern): void {
    const end = offset + sizeBytes
    if (end < pattern.quietTo) return
    const window = pattern.window(this.#blocks.pace, this.#maxWindowBytes, this.#blocks.hasThreads)
    const target = Math.min(end + window.sizeBytes, source.sizeBytes)
    // What is waited for comes with the first request, where it is not on its way already.
    pattern.aheadTo = Math.max(pattern.aheadTo, offset)
    // Whole requests only: a window that moves by every read would end in many small ones.
    while (pattern.aheadTo < target) {
      const requestBytes = Math.min(window.requestBytes, powerOfTwo(this.#blocks.aheadRoom(pattern)))
      if (target - pattern.aheadTo < requestBytes && target < source.sizeBytes) {
        if (window.isSettled) pattern.quietTo = pattern.aheadTo + requestBytes - window.sizeBytes
        return
      }
      const from = pattern.aheadTo - (pattern.aheadTo % this.#blocks.blockSizeBytes)
      const reached = this.#blocks.readAhead(source, from, requestBytes, pattern)
      if (reached <= pattern.aheadTo) return
      pattern.aheadTo = reached
    }
  }
}

/** The largest that is not above. */
function powerOfTwo(bytes: number): number {
  return bytes < 1 ? 0 : 2 ** Math.floor(Math.log2(bytes))
}
