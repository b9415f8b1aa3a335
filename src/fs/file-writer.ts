import { isDeepStrictEqual } from 'node:util'
import { CallSignal } from '../backend/call-signal.js'
import type { Attachments, ObjectVersion, WriteConditions, WriteResult } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { Committed } from './commit.js'
import { FileData } from './file-data.js'
import { FsError } from './fs-error.js'
import type { Keeping } from './kept-files.js'
import type { Told } from './known-traits.js'
import type { Hold } from './lent.js'
import type { Borrower } from './loans.js'
import type { AllocateOptions, Leaver, TruncateOptions } from './operations.js'
import type { WrittenFile } from './pieces.js'
import type { WriterServices } from './writer-services.js'
import type { WriterTarget } from './writer-target.js'

/**
 * The one content that a file has in this mount while it is being written: its bytes (`FileData`), the version that is
 * edited (or none), and what must hold when it is published. All open handles of the file share it.
 *
 * Lock: the target's. Changes and commits run under it one at a time, so that a commit publishes one state.
 */
export class FileWriter implements Borrower {
  readonly #services: WriterServices
  readonly #target: WriterTarget
  readonly #data: FileData
  #base: ObjectVersion | undefined
  #isDirty = false
  /** Not only attributes have changed. */
  #isContentDirty = false
  /** There is something to keep since the last commit: what programs that have the file open have made of it. */
  #isWritten = false
  #absence: 'exclusive' | 'believed' | undefined
  /** Where what was appended begins; undefined when something else was changed since the last commit. */
  #appendedFrom: number | undefined
  #changes = 0
  #failure: { readonly error: unknown; readonly changes: number } | undefined
  #closed: Promise<string | undefined> | undefined
  #hasEnded = false
  /** How often bytes of other objects were found to be elsewhere. */
  #sourceMoves = 0
  /** Of the commit under way. */
  #stepAside = new CallSignal()

  /** `base` is the version that is edited; undefined for a new file. */
  constructor(target: WriterTarget, base: ObjectVersion | undefined, services: WriterServices) {
    this.#target = target
    this.#services = services
    this.#base = base
    this.#data = new FileData(target, () => this.#base, services)
    this.#appendedFrom = this.#data.sizeBytes
  }

  get sizeBytes(): number {
    return this.#data.sizeBytes
  }

  get isDirty(): boolean {
    return this.#isDirty
  }

  /** Bytes or the size have changed, not only attributes. */
  get hasUnstoredContent(): boolean {
    return this.#isContentDirty
  }

  /** Why the present changes are not stored, where that has been tried. */
  get failure(): unknown {
    return this.#failure?.changes === this.#changes ? this.#failure.error : undefined
  }

  /** What the file consists of at this moment. */
  get file(): WrittenFile {
    return this.#data.file
  }

  /** A new file. What others make under its name meanwhile must not be lost, unless it is to be `replaced` whole. */
  create(absence: 'exclusive' | 'believed' | 'replaced'): void {
    this.#absence = absence === 'replaced' ? undefined : absence
    this.#isContentDirty = true
    this.touch()
  }

  /** Attributes have changed, which travel with the next commit. */
  touch(): void {
    if (!this.#isDirty) this.#target.expectAttachments(this.#base !== undefined && this.#isContentDirty)
    this.#isDirty = true
    this.#changes += 1
  }

  /**
   * ENOSPC where nothing has room for the bytes; the file is then as before, and so it is when the caller leaves while
   * the writer still waits for its turn or for room.
   */
  write(offset: number, data: Uint8Array, leaver?: Leaver, hold?: Hold): Promise<void> {
    return this.#change(async () => {
      if (data.length > 0) await this.#data.write(offset, data, leaver, hold)
      return data.length > 0
    }, leaver)
  }

  /** Writes where the file ends when its turn comes. */
  append(data: Uint8Array, leaver?: Leaver, hold?: Hold): Promise<void> {
    return this.#target.lock.run(async () => {
      if (data.length === 0) return
      await this.#data.write(this.sizeBytes, data, leaver, hold)
      this.#isWritten = true
      this.#isContentDirty = true
      this.touch()
    }, leaver)
  }

  truncate(sizeBytes: number, { leaver, isByPath = false }: TruncateOptions = {}): Promise<void> {
    const truncate = async () => {
      await this.#data.truncate(sizeBytes)
      if (sizeBytes > 0) return true
      this.#base = undefined
      void this.#data.content.ownerChanged()
      // The file is replaced whole, and the last writer wins; a file that must be new stays one.
      if (this.#absence === 'believed') this.#absence = undefined
      return true
    }
    return this.#change(truncate, leaver, !isByPath)
  }

  /** fallocate(2). EFBIG where the store holds no such file; the store itself is never asked for room. */
  allocate(offset: number, sizeBytes: number, options: AllocateOptions, leaver?: Leaver): Promise<void> {
    return this.#change(async () => this.#data.allocate(offset, sizeBytes, options), leaver)
  }

  /** lseek(2) with SEEK_DATA or SEEK_HOLE. */
  seek(offset: number, what: 'data' | 'hole'): number {
    return this.#data.seek(offset, what)
  }

  /**
   * Takes a range over from a stored object, which the commit then copies on the server. False where it is too small
   * for that, the store can't, or this mount is changing the object (`isThere` says whether it has when the writer's
   * turn comes): then the bytes are to be written.
   */
  async borrow(
    offset: number,
    sizeBytes: number,
    source: ObjectVersion,
    sourceOffset: number,
    { leaver, isThere = () => true }: { readonly leaver?: Leaver; readonly isThere?: () => boolean } = {},
  ): Promise<boolean> {
    const { loans } = this.#services
    let isBorrowed = false
    await this.#change(async () => {
      if (loans.isChanging(source.key) || !isThere()) return false
      isBorrowed = this.#data.borrow(offset, sizeBytes, source, sourceOffset)
      if (isBorrowed) loans.add(source.key, this)
      return isBorrowed
    }, leaver)
    return isBorrowed
  }

  /**
   * Makes everything local, for a file whose stored object is about to go; call it under the lock. ENOSPC where
   * staging has no room for it.
   */
  fetchAll(): Promise<void> {
    return this.#data.fetch()
  }

  /** Makes local what is in another object, which is about to change. */
  fetchFrom(key: string): Promise<void> {
    return this.#target.lock.run(async () => {
      if (!this.#hasEnded) await this.#data.fetch(key)
    })
  }

  sourceMoved(before: ObjectVersion, after: ObjectVersion): void {
    this.#data.remote.replace(before, after)
    this.#sourceMoves += 1
  }

  /** Publishes what is dirty. A failure leaves it dirty, and staged on this disk. */
  async commit(): Promise<void> {
    const { loans } = this.#services
    for (let outcome = 'again'; outcome === 'again'; ) {
      const mayChangeBytes = this.#isContentDirty
      const commit = () => this.#target.lock.run(() => this.#tryCommit(mayChangeBytes))
      const attempt = () => this.#target.whileNamed(commit)
      outcome = await (mayChangeBytes ? loans.whileChanging(this.#target.path, this, attempt) : attempt())
    }
  }

  /**
   * The name is to go or to change, by somebody who takes the lock next: a commit that only sends parts so far does not
   * hold him up, and begins anew behind him. What publishes the object is waited for, or it would come after him.
   */
  stepAside(): void {
    this.#stepAside.abort(new Error('the commit steps aside'))
  }

  /**
   * Ends the writer. What programs wrote and is not stored is kept under the state folder, unless nothing is to be; says
   * where. No upload is left when it has ended.
   */
  close(keeping: Keeping | undefined): Promise<string | undefined> {
    this.#closed ??= this.#close(keeping)
    return this.#closed
  }

  async #close(keeping: Keeping | undefined): Promise<string | undefined> {
    try {
      return await this.#target.lock.run(() => this.#end(keeping))
    } finally {
      await this.#data.streamsEnded
    }
  }

  async #end(keeping: Keeping | undefined): Promise<string | undefined> {
    this.#hasEnded = true
    this.#data.endStream()
    this.#services.loans.end(this)
    this.#isDirty = false
    if (keeping === undefined || !this.#isContentDirty || !this.#isWritten || this.#target.isUnlinked)
      return this.#data.content.dispose().then(() => undefined)
    const keptAtMs = this.#services.clock.nowMs()
    // It may have been renamed since it was to be kept.
    return this.#data.keep({ ...keeping, path: this.#target.path, sizeBytes: this.sizeBytes, keptAtMs })
  }

  /** ENOSPC when bytes are needed under another name that only the parts under this one hold. */
  checkMovable(): void {
    if (this.#data.hasDropped)
      throw new FsError('ENOSPC', 'bytes that are in the store only can not be renamed (--staging-size)')
  }

  /**
   * The file has another name; call it under the lock. `base` is where its stored bytes are now. Parts that were
   * sent under the old name are lost, so everything goes out again from staging. `replaces`: over another file.
   */
  moved(base: ObjectVersion | undefined, replaces: boolean): void {
    if (replaces) this.#absence = undefined
    else if (this.#absence === 'exclusive') this.#absence = 'believed'
    if (base !== undefined) this.rebase(base)
    void this.#data.content.ownerChanged()
    this.#data.endStream()
  }

  /** The stored object is the same, under another ETag or key; call it under the lock. */
  rebase(version: ObjectVersion): void {
    if (this.#base === undefined) return
    this.#data.remote.replace(this.#base, version)
    this.#base = version
    void this.#data.content.ownerChanged()
  }

  /** Runs a change that is no append under the lock; it says whether it changed anything. */
  #change(task: () => Promise<boolean>, leaver: Leaver | undefined, isWritten = true): Promise<void> {
    return this.#target.lock.run(async () => {
      if (!(await task())) return
      this.#appendedFrom = undefined
      this.#isWritten ||= isWritten
      this.#isContentDirty = true
      this.touch()
    }, leaver)
  }

  /** `mayChangeBytes`: nobody else needs those that are stored. */
  async #tryCommit(mayChangeBytes: boolean): Promise<'done' | 'again'> {
    if (!this.#isDirty || this.#target.isUnlinked) return 'done'
    if (this.#isContentDirty && !mayChangeBytes) return 'again'
    const signal = new CallSignal()
    this.#stepAside = signal
    const moves = this.#sourceMoves
    const use = this.#data.content.use()
    try {
      await this.#publish(signal)
      return 'done'
    } catch (error) {
      if (isStoreError(error) && error.ambiguous) {
        this.#target.perhapsStored(this.sizeBytes)
        // What may be stored already must not be appended once more.
        this.#appendedFrom = undefined
      }
      if (signal.aborted || this.#sourceMoves !== moves) return 'again'
      throw await this.#failed(error)
    } finally {
      await use.done()
    }
  }

  /** Resolves with what the program is told. */
  async #failed(error: unknown): Promise<unknown> {
    const isTaken = this.#absence === 'exclusive' && isStoreError(error, 'precondition-failed')
    const told = isTaken ? new FsError('EEXIST', `${this.#target.path} was made by another writer first`, error) : error
    this.#failure = { error: told, changes: this.#changes }
    if (isStoreError(error, 'precondition-failed', 'not-found')) this.#target.refused()
    if (this.#isContentDirty) await this.secure()
    return told
  }

  async #publish(signal: CallSignal): Promise<void> {
    const changes = this.#changes
    const base = this.#base
    if (base === undefined || this.#isContentDirty) await this.#publishContent(signal)
    else {
      const attachments = await this.#target.attachments()
      const stored = await this.#services.committer.replaceAttachments(base, attachments)
      this.#services.loans.moved(base, this.#committed(stored, attachments))
    }
    // Attributes do not wait for the lock: those that came meanwhile are the next commit's.
    this.#isDirty = this.#changes !== changes
    this.#failure = undefined
  }

  async #publishContent(signal: CallSignal): Promise<void> {
    let sent: Committed
    try {
      sent = await this.#send(signal)
    } catch (error) {
      if (!(await this.#followOthers(error))) throw error
      sent = await this.#send(signal)
    }
    const { result, kept, wanted } = sent
    this.#absence = undefined
    this.#isContentDirty = false
    this.#isWritten = false
    this.#appendedFrom = this.sizeBytes
    const version = this.#committed(result, kept)
    this.#services.loans.end(this)
    await this.#data.stored(version)?.dispose()
    // Metadata is taken when an upload begins; what changed since costs one copy.
    if (!isDeepStrictEqual(kept, wanted))
      this.#committed(await this.#services.committer.replaceAttachments(version, wanted), wanted)
  }

  async #send(signal: CallSignal): Promise<Committed> {
    const { committer } = this.#services
    const attachments = (told?: Told) => this.#target.attachments(told)
    const request = { key: this.#target.path, file: this.file, conditions: this.#conditions(), attachments, signal }
    const { stream } = this.#data
    if (stream !== undefined) {
      try {
        return await committer.commit({ ...request, stream })
      } catch (error) {
        if (!isStoreError(error, 'no-such-upload')) throw error
        this.#services.log.warn('an upload was lost; all goes out again from staging', { key: request.key, error })
        this.#data.endStream()
      }
    }
    return committer.commit({ ...request, stream: undefined })
  }

  /**
   * What was only appended belongs behind what others have made of the file meanwhile. True when it stands there now,
   * and the commit that was refused is to be tried again.
   */
  async #followOthers(refusal: unknown): Promise<boolean> {
    const from = this.#appendedFrom
    if (!isStoreError(refusal, 'precondition-failed') || this.#absence === 'exclusive' || from === undefined)
      return false
    const { path } = this.#target
    try {
      const current = await this.#target.current()
      if (current === undefined) return false
      await this.#data.moveBehind(current, from)
      this.#base = current
      void this.#data.content.ownerChanged()
      this.#absence = undefined
      this.#appendedFrom = current.sizeBytes
      this.#target.rebased(current)
      this.#services.log.info('others have changed a file; what was appended goes behind it', { path })
      return true
    } catch (error) {
      this.#services.log.warn('what was appended can not go behind what others wrote', { path, error })
      return false
    }
  }

  #committed({ etag, versionId }: WriteResult, attachments: Attachments): ObjectVersion {
    const lastModifiedMs = this.#services.clock.nowMs()
    const version = { key: this.#target.path, sizeBytes: this.sizeBytes, etag, versionId, lastModifiedMs }
    this.rebase(version)
    this.#base = version
    this.#target.committed(version, attachments)
    return version
  }

  #conditions(): WriteConditions {
    // An empty lock file looks like anybody's.
    const mayBeStored = this.#target.isPerhapsStored && (this.#absence !== 'exclusive' || this.sizeBytes > 0)
    if (this.#base !== undefined) return { ifMatch: this.#base.etag, mayBeStored }
    return this.#absence === undefined ? {} : { ifNoneMatch: '*', mayBeStored }
  }

  /** What is not stored survives this process then. Never rejects. */
  async secure(): Promise<void> {
    try {
      await (await this.#data.content.spill()).sync()
    } catch (error) {
      this.#services.log.error('what was not stored could not be staged either', { path: this.#target.path, error })
    }
  }
}
