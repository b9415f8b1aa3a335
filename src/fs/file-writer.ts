import { isDeepStrictEqual } from 'node:util'
import type { Log } from '../backend/log.js'
import type { Attachments, ObjectVersion, WriteConditions, WriteResult } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { Clock } from '../cache/clock.js'
import type { Committer } from './commit.js'
import { Extents } from './extents.js'
import { FsError } from './fs-error.js'
import { LocalContent } from './local-content.js'
import type { MemoryBudget } from './memory-budget.js'
import { abandonable, type Mutex } from './mutex.js'
import type { PartSizes } from './part-sizes.js'
import type { PartStream } from './part-stream.js'
import type { WrittenFile } from './pieces.js'
import type { StagingArea } from './staging.js'

/** What writers share. */
export interface WriterServices {
  readonly committer: Committer
  readonly area: StagingArea
  readonly budget: MemoryBudget
  readonly sizes: PartSizes
  readonly clock: Clock
  readonly log: Log
  newStream(key: string, attachments: Attachments): PartStream
}

/** The file that a writer writes, as the writer needs to know it. */
export interface WriterTarget {
  /** The present key. */
  readonly path: string
  /** The file's: held while its bytes, its stored object or its name change. */
  readonly lock: Mutex
  /** The name is gone: nothing is to be published. */
  readonly isUnlinked: boolean
  /** What is to be kept beside the bytes now. */
  attachments(): Promise<Attachments>
  /** The commit has published this version. */
  committed(version: ObjectVersion, attachments: Attachments): void
  /** Others have changed the object, so what is known of it is not true. */
  refused(): void
}

/**
 * The one content that a file has in this mount while it is being written: a base version in the store (or none),
 * local ranges over it, and a size. All open handles of the file share it.
 *
 * Lock: the target's. Writes, truncations and commits run under it one at a time, so that a commit publishes one state.
 * Invariant: a byte at `p < sizeBytes` is `content`'s where that holds p, else only in the store's parts where
 * `dropped` holds p, else the base's where `p < baseLimit`, else zero.
 */
export class FileWriter {
  readonly #services: WriterServices
  readonly #target: WriterTarget
  readonly #dropped = new Extents()
  #content: LocalContent
  #stream: PartStream | undefined
  #base: ObjectVersion | undefined
  #baseLimit: number
  #sizeBytes: number
  #isDirty = false
  /** Not only attributes have changed. */
  #isContentDirty = false
  #absence: 'exclusive' | 'believed' | undefined
  #changes = 0
  #failure: { readonly error: unknown; readonly changes: number } | undefined
  #closed: Promise<string | undefined> | undefined
  /** Of the commit under way. */
  #stepAside = new AbortController()

  /** `base` is the version that is edited; undefined for a new file. */
  constructor(target: WriterTarget, base: ObjectVersion | undefined, services: WriterServices) {
    this.#target = target
    this.#services = services
    this.#base = base
    this.#baseLimit = base?.sizeBytes ?? 0
    this.#sizeBytes = this.#baseLimit
    this.#content = this.#newContent()
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get isDirty(): boolean {
    return this.#isDirty
  }

  /** Why the present changes are not stored, where that has been tried. */
  get failure(): unknown {
    return this.#failure?.changes === this.#changes ? this.#failure.error : undefined
  }

  /** What the file consists of at this moment. */
  get file(): WrittenFile {
    return {
      content: this.#content,
      dropped: this.#dropped,
      base: this.#base,
      baseLimit: this.#baseLimit,
      sizeBytes: this.#sizeBytes,
    }
  }

  /** A new file. What others make under its name meanwhile must not be lost, unless it is to be `replaced` whole. */
  create(absence: 'exclusive' | 'believed' | 'replaced'): void {
    this.#absence = absence === 'replaced' ? undefined : absence
    this.#change()
  }

  /** Attributes have changed, which travel with the next commit. */
  touch(): void {
    this.#isDirty = true
    this.#changes += 1
  }

  /**
   * ENOSPC where nothing has room for the bytes; the file is then as before, and so it is when `signal` fires while
   * the writer still waits for its turn or for room.
   */
  write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#target.lock.run(() => this.#write(offset, data, signal), signal)
  }

  /** Writes where the file ends when its turn comes. */
  append(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#target.lock.run(() => this.#write(this.#sizeBytes, data, signal), signal)
  }

  truncate(sizeBytes: number, signal?: AbortSignal): Promise<void> {
    return this.#target.lock.run(() => this.#truncate(sizeBytes), signal)
  }

  /** Publishes what is dirty. A failure leaves it dirty, and staged on this disk. */
  async commit(): Promise<void> {
    while ((await this.#target.lock.run(() => this.#tryCommit())) === 'stepped aside');
  }

  /**
   * The name is to go or to change, by somebody who takes the lock next: a commit that only sends parts so far does not
   * hold him up, and begins anew behind him. What publishes the object is waited for, or it would come after him.
   */
  stepAside(): void {
    this.#stepAside.abort()
  }

  /** Ends the writer. What is not stored is kept under the state folder, for this reason; says where. */
  close(reason: string): Promise<string | undefined> {
    this.#closed ??= this.#target.lock.run(async () => {
      await this.#endStream()
      this.#isDirty = false
      if (this.#isContentDirty && !this.#target.isUnlinked) {
        const keptAtMs = this.#services.clock.nowMs()
        return this.#content.keep({ sizeBytes: this.#sizeBytes, reason, keptAtMs })
      }
      await this.#content.dispose()
      return undefined
    })
    return this.#closed
  }

  /** ENOSPC when bytes are needed under another name that only the parts under this one hold. */
  checkMovable(): void {
    if (this.#dropped.ranges.length > 0)
      throw new FsError('ENOSPC', 'bytes that are in the store only can not be renamed (--staging-size)')
  }

  /**
   * The file has another name; call it under the lock. `base` is where its stored bytes are now. Parts that were
   * sent under the old name are lost, so everything goes out again from staging. `replaces`: over another file.
   */
  moved(base: ObjectVersion | undefined, replaces: boolean): void {
    if (replaces) this.#absence = undefined
    else if (this.#absence === 'exclusive') this.#absence = 'believed'
    if (this.#base !== undefined) this.#base = base
    void this.#endStream()
  }

  /** The stored object is the same, under another ETag; call it under the lock. */
  rebase(version: ObjectVersion): void {
    if (this.#base !== undefined) this.#base = version
  }

  async #tryCommit(): Promise<'done' | 'stepped aside'> {
    if (!this.#isDirty || this.#target.isUnlinked) return 'done'
    this.#stepAside = new AbortController()
    const { signal } = this.#stepAside
    const use = this.#content.use()
    try {
      await this.#publish(signal)
      return 'done'
    } catch (error) {
      if (signal.aborted) return 'stepped aside'
      await this.#failed(error)
      throw this.#absence === 'exclusive' && isStoreError(error, 'precondition-failed')
        ? new FsError('EEXIST', `${this.#target.path} was made by another writer first`, error)
        : error
    } finally {
      await use.done()
    }
  }

  async #failed(error: unknown): Promise<void> {
    this.#failure = { error, changes: this.#changes }
    if (isStoreError(error, 'precondition-failed', 'not-found')) this.#target.refused()
    if (this.#isContentDirty) await this.#secure()
  }

  async #publish(signal: AbortSignal): Promise<void> {
    const changes = this.#changes
    const attachments = await this.#target.attachments()
    const base = this.#base
    const { committer } = this.#services
    if (base === undefined || this.#isContentDirty) await this.#publishContent(attachments, signal)
    else this.#committed(await committer.replaceAttachments(base, attachments), attachments)
    // Attributes do not wait for the lock: those that came meanwhile are the next commit's.
    this.#isDirty = this.#changes !== changes
    this.#failure = undefined
  }

  async #publishContent(attachments: Attachments, signal: AbortSignal): Promise<void> {
    const { result, kept } = await this.#commitContent(attachments, signal)
    const sent = this.#content
    this.#stream = undefined
    this.#baseLimit = this.#sizeBytes
    this.#absence = undefined
    this.#isContentDirty = false
    this.#dropped.clear()
    if (!sent.isInMemory) this.#content = this.#newContent()
    const version = this.#committed(result, kept)
    if (sent !== this.#content) await sent.dispose()
    // Metadata is taken when an upload begins; what changed since costs one copy.
    if (!isDeepStrictEqual(kept, attachments))
      this.#committed(await this.#services.committer.replaceAttachments(version, attachments), attachments)
  }

  /** `kept` is what is kept beside the bytes now. */
  async #commitContent(
    attachments: Attachments,
    signal: AbortSignal,
  ): Promise<{ result: WriteResult; kept: Attachments }> {
    const { committer } = this.#services
    const request = { key: this.#target.path, file: this.file, conditions: this.#conditions(), attachments, signal }
    const stream = this.#stream
    if (stream !== undefined) {
      try {
        return { result: await committer.commit({ ...request, stream }), kept: stream.attachments }
      } catch (error) {
        if (!isStoreError(error, 'no-such-upload')) throw error
        this.#services.log.warn('an upload was lost; all goes out again from staging', { key: request.key, error })
        void this.#endStream()
      }
    }
    return { result: await committer.commit({ ...request, stream: undefined }), kept: attachments }
  }

  #committed({ etag, versionId }: WriteResult, attachments: Attachments): ObjectVersion {
    const lastModifiedMs = this.#services.clock.nowMs()
    const version = { key: this.#target.path, sizeBytes: this.#sizeBytes, etag, versionId, lastModifiedMs }
    this.#base = version
    this.#target.committed(version, attachments)
    return version
  }

  #change(): void {
    this.#isContentDirty = true
    this.touch()
  }

  #conditions(): WriteConditions {
    if (this.#base !== undefined) return { ifMatch: this.#base.etag }
    return this.#absence === undefined ? {} : { ifNoneMatch: '*' }
  }

  async #write(offset: number, data: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    if (data.length === 0) return
    const end = offset + data.length
    if (offset === this.#sizeBytes && (await this.#continuesStream(offset, end, signal)))
      await this.#writeBehind(offset, data, signal)
    else await this.#writeStaged(offset, data)
    this.#sizeBytes = Math.max(this.#sizeBytes, end)
    this.#change()
  }

  /** True when bytes from `offset`, the end of the file, can be streamed; begins the stream where that is due. */
  async #continuesStream(offset: number, end: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#stream !== undefined) return this.#stream.position === offset
    const isDue =
      this.#baseLimit === 0 &&
      end > this.#services.sizes.firstBytes &&
      // Only when the content outgrows memory: what is in a staging file by then is the commit's to send.
      this.#content.isInMemory &&
      this.#content.held.covers(0, offset)
    if (!isDue) return false
    const attachments = this.#target.attachments()
    const known = await (signal === undefined ? attachments : abandonable(attachments, signal))
    this.#stream = this.#services.newStream(this.#target.path, known)
    this.#stream.append(await this.#content.read(0, offset))
    return true
  }

  async #writeStaged(offset: number, data: Uint8Array): Promise<void> {
    const end = offset + data.length
    this.#checkDropped(offset, end)
    await this.#content.write(offset, data)
    this.#stream?.invalidate(offset, end)
  }

  /** Streams, and stages beside that as far as there is room. */
  async #writeBehind(offset: number, data: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const stream = this.#stream
    if (stream === undefined) return
    await stream.room(signal)
    const isStaged = await this.#stage(stream, offset, data)
    while (!isStaged && !stream.canHold(data.length)) {
      if (!(await stream.partEnds(signal)))
        throw new FsError('ENOSPC', 'neither memory nor staging has room (--staging-size)')
    }
    stream.append(data)
    if (!isStaged) this.#dropped.add(offset, offset + data.length)
  }

  /** False when there is no room, even after what is stored was dropped from staging. */
  async #stage(stream: PartStream, offset: number, data: Uint8Array): Promise<boolean> {
    for (const mayDrop of [true, false]) {
      try {
        await this.#content.write(offset, data)
        return true
      } catch (error) {
        if (!(error instanceof FsError) || error.errno !== 'ENOSPC') throw error
        if (!mayDrop) this.#services.log.debug('staging has no room; streaming goes on', { path: this.#target.path })
        else this.#dropStored(stream)
      }
    }
    return false
  }

  #dropStored(stream: PartStream): void {
    if (this.#content.isInMemory) return
    const { sizes } = this.#services
    for (const number of stream.stored.keys()) {
      const start = sizes.startOf(number)
      const end = start + sizes.sizeOf(number)
      if (!this.#content.held.overlaps(start, end)) continue
      this.#content.drop(start, end)
      this.#dropped.add(start, end)
    }
  }

  /** ENOSPC unless every part of the range could be sent again. */
  #checkDropped(start: number, end: number): void {
    if (this.#dropped.ranges.length === 0 || end <= start) return
    const { sizes } = this.#services
    const last = sizes.at(end - 1)
    if (this.#dropped.overlaps(sizes.startOf(sizes.at(start)), sizes.startOf(last) + sizes.sizeOf(last)))
      throw new FsError('ENOSPC', 'bytes that are in the store only can not be changed (--staging-size)')
  }

  async #truncate(sizeBytes: number): Promise<void> {
    if (sizeBytes === 0) {
      void this.#endStream()
      this.#dropped.clear()
      this.#base = undefined
      // The file is replaced whole, and the last writer wins; a file that must be new stays one.
      if (this.#absence === 'believed') this.#absence = undefined
    } else if (sizeBytes < this.#sizeBytes) {
      this.#checkDropped(sizeBytes, this.#sizeBytes)
      this.#stream?.invalidate(sizeBytes, this.#sizeBytes)
    }
    if (sizeBytes < this.#sizeBytes) await this.#content.truncate(sizeBytes)
    this.#baseLimit = Math.min(this.#baseLimit, sizeBytes)
    this.#sizeBytes = sizeBytes
    this.#change()
  }

  /** Never rejects: the stream logs what it can't abort. Only who has nothing else to do waits for it. */
  async #endStream(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    await stream?.abort()
  }

  /** What failed to be stored must survive this process before anybody hears of the failure. */
  async #secure(): Promise<void> {
    try {
      await (await this.#content.spill()).sync()
    } catch (error) {
      this.#services.log.error('what was not stored could not be staged either', { path: this.#target.path, error })
    }
  }

  #newContent(): LocalContent {
    const { area, budget, sizes } = this.#services
    const owner = () => ({ key: this.#target.path, baseEtag: this.#base?.etag })
    return new LocalContent({ area, budget, maxMemoryBytes: sizes.firstBytes, owner })
  }
}
