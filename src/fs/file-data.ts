import type { ObjectVersion } from '../backend/object-store.js'
import { Extents } from './extents.js'
import { FsError } from './fs-error.js'
import type { Keeping } from './kept-files.js'
import type { Hold } from './lent.js'
import { LocalContent } from './local-content.js'
import { leavable } from './mutex.js'
import type { AllocateOptions, Leaver } from './operations.js'
import type { PartStream } from './part-stream.js'
import { type Piece, piecesOf, seekIn, type WrittenFile } from './pieces.js'
import { isSameObject, type RemoteRange, RemoteRanges } from './remote-ranges.js'
import type { WriterServices } from './writer-services.js'
import type { WriterTarget } from './writer-target.js'

/** Whose bytes these are, asked when it matters. */
export type DataOwner = Pick<WriterTarget, 'path' | 'isUnlinked' | 'attachments'>

const CHUNK_BYTES = 1024 * 1024

/**
 * The bytes of a file that is being written, and how they are changed. It knows no locks: one call at a time.
 *
 * Invariant: a byte at `p < sizeBytes` is `content`'s where that holds p, else only in the store's parts where
 * `dropped` holds p, else a stored object's where `remote` holds p, else zero.
 */
export class FileData {
  readonly #services: WriterServices
  readonly #owner: DataOwner
  /** The version that is edited. */
  readonly #base: () => ObjectVersion | undefined
  readonly #dropped = new Extents()
  readonly #remote = new RemoteRanges()
  #content: LocalContent
  #stream: PartStream | undefined
  #streamsEnded: Promise<void> = Promise.resolve()
  #sizeBytes: number

  constructor(owner: DataOwner, base: () => ObjectVersion | undefined, services: WriterServices) {
    this.#owner = owner
    this.#base = base
    this.#services = services
    this.#sizeBytes = base()?.sizeBytes ?? 0
    this.#remote.reset(base())
    this.#content = this.#newContent()
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get content(): LocalContent {
    return this.#content
  }

  get remote(): RemoteRanges {
    return this.#remote
  }

  /** Parts of the file that are on their way to the store or there. */
  get stream(): PartStream | undefined {
    return this.#stream
  }

  /** Resolves when nothing is left of the streams that were ended so far. Never rejects. */
  get streamsEnded(): Promise<void> {
    return this.#streamsEnded
  }

  /** ENOSPC where some bytes are in the parts of the stream only. */
  checkHeld(toBe: string): void {
    if (this.#dropped.ranges.length > 0)
      throw new FsError('ENOSPC', `bytes that are in the store only can not be ${toBe} (--staging-size)`)
  }

  /** What the file consists of at this moment. */
  get file(): WrittenFile {
    return {
      content: this.#content,
      dropped: this.#dropped,
      remote: this.#remote,
      base: this.#base(),
      sizeBytes: this.#sizeBytes,
    }
  }

  /** ENOSPC where nothing has room for the bytes; the file is then as before. False: there were none. */
  async write(offset: number, data: Uint8Array, leaver: Leaver | undefined, hold?: Hold): Promise<boolean> {
    if (data.length === 0) return false
    const end = offset + data.length
    this.#checkSize(end)
    if (offset === this.#sizeBytes && (await this.#continuesStream(offset, end, leaver)))
      await this.#writeBehind(offset, data, leaver, hold)
    else await this.#writeStaged(offset, data)
    this.#sizeBytes = Math.max(this.#sizeBytes, end)
    return true
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#checkSize(sizeBytes)
    if (sizeBytes === 0) {
      this.endStream()
      this.#dropped.clear()
    } else {
      this.#checkDropped(Math.min(sizeBytes, this.#sizeBytes), Math.max(sizeBytes, this.#sizeBytes))
      if (sizeBytes < this.#sizeBytes) this.#stream?.invalidate(sizeBytes, this.#sizeBytes)
    }
    if (sizeBytes < this.#sizeBytes) {
      await this.#content.truncate(sizeBytes)
      this.#remote.remove(sizeBytes, Number.MAX_SAFE_INTEGER)
    }
    this.#sizeBytes = sizeBytes
  }

  /** fallocate(2); says whether it changed anything. No room is set aside in the store: it has no such thing. */
  allocate(offset: number, sizeBytes: number, { kind, keepSize }: AllocateOptions): boolean {
    const end = offset + sizeBytes
    this.#checkSize(end)
    const clears = kind !== 'allocate' && offset < this.#sizeBytes
    const grows = kind !== 'punch' && !keepSize && end > this.#sizeBytes
    if (grows) this.#checkDropped(this.#sizeBytes, end)
    if (clears) this.#clear(offset, Math.min(end, this.#sizeBytes))
    if (grows) this.#sizeBytes = end
    return clears || grows
  }

  seek(offset: number, what: 'data' | 'hole'): number {
    return seekIn(this.file, offset, what)
  }

  /**
   * Makes a range the bytes of a stored object without fetching them. False, and nothing done, where that is not worth
   * it or can't be: then they are to be written.
   */
  borrow(offset: number, sizeBytes: number, source: ObjectVersion, sourceOffset: number): boolean {
    const { minCopyBytes } = this.#services.committer
    if (minCopyBytes === undefined || this.#stream !== undefined) return false
    if (sizeBytes < minCopyBytes || source.sizeBytes === minCopyBytes) return false
    const end = offset + sizeBytes
    this.#checkSize(end)
    this.#content.discard(offset, end)
    this.#remote.set({ start: offset, end, version: source, offset: sourceOffset })
    this.#sizeBytes = Math.max(this.#sizeBytes, end)
    return true
  }

  /**
   * Makes all bytes local that are in stored objects, or those that are in the object of this key. Where that fails
   * none of them stays: they would take others' room, and the file is not whole with a part of them.
   */
  async fetch(key?: string): Promise<void> {
    const { file } = this
    const wanted = this.#remote.ranges.filter(({ version }) => key === undefined || version.key === key)
    const missing = wanted
      .flatMap(({ start, end }) => piecesOf(file, start, end))
      .filter(({ kind }) => kind === 'remote')
    try {
      for (const { start, end } of wanted) await this.#services.committer.fetch(file, start, end)
    } catch (error) {
      for (const { start, end } of missing) this.#content.discard(start, end)
      throw error
    }
    for (const { start, end } of wanted) this.#remote.remove(start, end)
  }

  /**
   * Gives the bytes up under `kept/`, and says where they lie. Other bytes than these are the base's at the same place;
   * what was to come from other objects is fetched, if it is still there.
   */
  async keep(record: Keeping & { readonly sizeBytes: number; readonly keptAtMs: number }): Promise<string> {
    const base = this.#base()
    for (const { start, end, version, offset } of [...this.#remote.ranges]) {
      if (isOfBase({ start, end, version, offset }, base)) continue
      try {
        await this.#services.committer.fetch(this.file, start, end)
      } catch (error) {
        const { path } = this.#owner
        this.#services.log.warn('bytes that were to be copied from another object are not kept', { path, error })
      }
    }
    const zeros = new Extents()
    const lost = new Extents()
    for (const piece of piecesOf(this.file, 0, this.#sizeBytes))
      if (piece.kind === 'zero') zeros.add(piece.start, piece.end)
      else if (piece.kind === 'dropped' || (piece.kind === 'remote' && !isOfBase(piece, base)))
        lost.add(piece.start, piece.end)
    return this.#content.keep(record, { zeros, lost })
  }

  /** All of it is stored as this version. Returns what is to be disposed of then. */
  stored(version: ObjectVersion): LocalContent | undefined {
    const sent = this.#content
    this.#stream = undefined
    this.#dropped.clear()
    this.#remote.reset(version)
    if (sent.isInMemory && sent.held.covers(0, this.#sizeBytes)) return undefined
    this.#content = this.#newContent()
    return sent
  }

  /**
   * What the file was at some time is stored as this version, and nothing was borrowed since: what is neither here nor
   * zero is to be had from there, where it was.
   */
  foundStored(version: ObjectVersion): void {
    const gone = this.#dropped.split(0, version.sizeBytes).filter(({ isInside }) => isInside)
    for (const { start, end } of [...this.#remote.ranges, ...gone])
      this.#remote.set({ start, end, version, offset: start })
    this.#dropped.remove(0, version.sizeBytes)
    // Its upload is an object by now, or has been overtaken by one.
    if (this.#dropped.ranges.length === 0) this.endStream()
    void this.#content.ownerChanged()
  }

  /** As `moveBehind`, behind what others have made of the file. Undefined: it stays as it is. */
  async follow<T extends ObjectVersion>(current: () => Promise<T | undefined>, start: number): Promise<T | undefined> {
    const { path } = this.#owner
    const { log } = this.#services
    try {
      const version = await current()
      if (version === undefined) return undefined
      await this.#moveBehind(version, start)
      log.info('others have changed a file; what was appended goes behind it', { path })
      return version
    } catch (error) {
      log.warn('what was appended can not go behind what others wrote', { path, error })
      return undefined
    }
  }

  /**
   * The bytes from `start` on come behind those of `version` now, and what was before them is gone. Rejects where
   * there is no room for that, and the file is as it was.
   */
  async #moveBehind(version: ObjectVersion, start: number): Promise<void> {
    const shift = version.sizeBytes - start
    this.#checkSize(this.#sizeBytes + shift)
    this.checkHeld('moved')
    const before = this.#content
    const moved = this.#newContent()
    try {
      for (const piece of piecesOf(this.file, start, this.#sizeBytes)) await this.#copyPiece(piece, moved, shift)
    } catch (error) {
      await moved.dispose()
      throw error
    }
    this.endStream()
    this.#content = moved
    this.#remote.reset(version)
    this.#sizeBytes += shift
    await before.dispose()
  }

  /** Drops what was sent. Who has nothing else to do waits for `streamsEnded`. */
  endStream(): void {
    const aborted = this.#stream?.abort()
    this.#stream = undefined
    if (aborted !== undefined) this.#streamsEnded = Promise.all([this.#streamsEnded, aborted]).then(() => undefined)
  }

  /** The upload is gone, so that everything goes out again from staging. */
  lostStream(error: unknown): void {
    this.#services.log.warn('an upload was lost; all goes out again from staging', { key: this.#owner.path, error })
    this.endStream()
  }

  async #copyPiece(piece: Piece, to: LocalContent, shift: number): Promise<void> {
    if (piece.kind === 'zero') return
    for (let at = piece.start; at < piece.end; at += CHUNK_BYTES)
      await to.write(at + shift, await this.#content.read(at, Math.min(at + CHUNK_BYTES, piece.end)))
  }

  /** The range reads as zeros. */
  #clear(start: number, end: number): void {
    if (end <= start) return
    this.#checkDropped(start, end)
    this.#content.discard(start, end)
    this.#remote.remove(start, end)
    this.#stream?.invalidate(start, end)
  }

  /** True when bytes from `offset`, the end of the file, can be streamed; begins the stream where that is due. */
  async #continuesStream(offset: number, end: number, leaver: Leaver | undefined): Promise<boolean> {
    if (this.#owner.isUnlinked) this.endStream()
    if (this.#stream !== undefined) return this.#stream.position === offset
    const isDue =
      !this.#owner.isUnlinked &&
      this.#remote.isEmpty &&
      end > this.#services.sizes.firstBytes &&
      // Only when the content outgrows memory: what is in a staging file by then is the commit's to send.
      this.#content.isInMemory &&
      this.#content.held.covers(0, offset)
    if (!isDue) return false
    const attachments = this.#owner.attachments()
    const known = await (leaver === undefined ? attachments : leavable(attachments, leaver))
    this.#stream = this.#services.newStream(this.#owner.path, known)
    this.#stream.append(await this.#content.read(0, offset))
    return true
  }

  async #writeStaged(offset: number, data: Uint8Array): Promise<void> {
    const end = offset + data.length
    this.#checkDropped(Math.min(offset, this.#sizeBytes), end)
    await this.#content.write(offset, data)
    this.#stream?.invalidate(offset, end)
  }

  /** Streams, and stages beside that as far as there is room. */
  async #writeBehind(offset: number, data: Uint8Array, leaver?: Leaver, hold?: Hold): Promise<void> {
    const stream = this.#stream
    if (stream === undefined) return
    await stream.room(data.length, leaver)
    let isStaged: boolean
    // Memory may be waiting for the disk only.
    if (!stream.canHold(data.length)) await this.#content.settled()
    // Nothing is waited for before `append`: others take of the same memory.
    if (stream.canHold(data.length)) {
      const lent = stream.append(data, hold)
      // The parts may be stored before the staging file is made.
      const releases = lent.map(piece => piece.hold())
      try {
        isStaged = await this.#stage(stream, () => this.#content.writeBehind(offset, lent))
      } finally {
        for (const release of releases) release()
      }
    } else {
      isStaged = await this.#stage(stream, () => this.#content.write(offset, data))
      while (!isStaged && !stream.canHold(data.length)) {
        if (!(await stream.memoryFreed(data.length, leaver)))
          throw new FsError('ENOSPC', 'neither memory nor staging has room (--staging-size)')
      }
      stream.append(data)
    }
    if (!isStaged) this.#dropped.add(offset, offset + data.length)
  }

  /** False when there is no room, even after what is stored was dropped from staging. */
  async #stage(stream: PartStream, write: () => Promise<void>): Promise<boolean> {
    for (const mayDrop of [true, false]) {
      try {
        await write()
        return true
      } catch (error) {
        if (!(error instanceof FsError) || error.errno !== 'ENOSPC') throw error
        const path = this.#owner.path
        if (!mayDrop) this.#services.log.debug('staging has no room; streaming goes on', { path })
        else this.#dropStored(stream)
      }
    }
    return false
  }

  #dropStored(stream: PartStream): void {
    if (this.#content.isInMemory) return
    const { sizes } = this.#services
    const dropped = [...stream.stored.keys()]
      .map(number => ({ start: sizes.startOf(number), end: sizes.startOf(number) + sizes.sizeOf(number) }))
      .filter(({ start, end }) => this.#content.held.overlaps(start, end))
    for (const { start, end } of dropped) {
      this.#dropped.add(start, end)
      this.#content.discard(start, end)
    }
  }

  /** ENOSPC unless every part of the range could be sent again, as another one where it ends elsewhere now. */
  #checkDropped(start: number, end: number): void {
    if (end <= start) return
    const { sizes } = this.#services
    const last = sizes.at(end - 1)
    if (this.#dropped.overlaps(sizes.startOf(sizes.at(start)), sizes.startOf(last) + sizes.sizeOf(last)))
      throw new FsError('ENOSPC', 'bytes that are in the store only can not be changed (--staging-size)')
  }

  #checkSize(sizeBytes: number): void {
    if (sizeBytes > this.#services.committer.maxFileBytes)
      throw new FsError('EFBIG', `the store holds no file of ${sizeBytes} bytes`)
  }

  #newContent(): LocalContent {
    const { area, budget, sizes } = this.#services
    const owner = () => ({ key: this.#owner.path, baseEtag: this.#base()?.etag })
    return new LocalContent({ area, budget, maxMemoryBytes: sizes.firstBytes, owner })
  }
}

/** The bytes are those of the version that is edited, where they were. */
function isOfBase(range: RemoteRange, base: ObjectVersion | undefined): boolean {
  return base !== undefined && isSameObject(range.version, base) && range.offset === range.start
}
