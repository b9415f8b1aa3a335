import { isDeepStrictEqual } from 'node:util'
import { CallSignal } from '../backend/call-signal.js'
import type { Attachments, ObjectVersion, WriteResult } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import { WRITE_ID } from './attributes.js'
import type { Committed } from './commit.js'
import { FileData } from './file-data.js'
import { FileOrigin } from './file-origin.js'
import { FsError } from './fs-error.js'
import type { Keeping } from './kept-files.js'
import type { Told } from './known-traits.js'
import type { Hold } from './lent.js'
import type { Borrower } from './loans.js'
import type { AllocateOptions, Leaver, TruncateOptions } from './operations.js'
import type { WrittenFile } from './pieces.js'
import { type SentState, Unanswered } from './unanswered.js'
import { UnstoredChanges } from './unstored-changes.js'
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
  readonly #unstored: UnstoredChanges
  readonly #origin: FileOrigin
  #closed: Promise<string | undefined> | undefined
  #hasEnded = false
  /** Commits that may have been carried out. Empty again with the first one that is known to be. */
  readonly unanswered = new Unanswered()
  /** How often bytes of other objects were found to be elsewhere. */
  #sourceMoves = 0
  /** Of the commit under way. */
  #stepAside = new CallSignal()

  /** `base` is the version that is edited; undefined for a new file. */
  constructor(target: WriterTarget, base: ObjectVersion | undefined, services: WriterServices) {
    this.#target = target
    this.#services = services
    this.#origin = new FileOrigin(base)
    this.#data = new FileData(target, () => this.#origin.version, services)
    this.#unstored = new UnstoredChanges(this.#data.sizeBytes)
  }

  get sizeBytes(): number {
    return this.#data.sizeBytes
  }

  get isDirty(): boolean {
    return this.#unstored.isDirty
  }

  /** Bytes or the size have changed, not only attributes. */
  get hasUnstoredContent(): boolean {
    return this.#unstored.isContentDirty
  }

  /** Why the present changes are not stored, where that has been tried. */
  get failure(): unknown {
    return this.#unstored.failure
  }

  /** What the file consists of at this moment. */
  get file(): WrittenFile {
    return this.#data.file
  }

  /** A new file: see `FileOrigin`. */
  create(absence: 'exclusive' | 'believed' | 'replaced'): void {
    this.#origin.create(absence)
    this.#unstored.isContentDirty = true
    this.touch()
  }

  /** Attributes have changed, which travel with the next commit. */
  touch(): void {
    if (!this.#unstored.isDirty)
      this.#target.expectAttachments(this.#origin.version !== undefined && this.#unstored.isContentDirty)
    this.#unstored.add()
  }

  /**
   * ENOSPC where nothing has room for the bytes; the file is then as before, and so it is when the caller leaves while
   * the writer still waits for its turn or for room.
   */
  write(offset: number, data: Uint8Array, leaver?: Leaver, hold?: Hold): Promise<void> {
    return this.#change(() => this.#data.write(offset, data, leaver, hold), leaver)
  }

  /** Writes where the file ends when its turn comes. */
  append(data: Uint8Array, leaver?: Leaver, hold?: Hold): Promise<void> {
    const write = () => this.#data.write(this.sizeBytes, data, leaver, hold)
    return this.#change(write, leaver, { isAppend: true })
  }

  truncate(sizeBytes: number, { leaver, isByPath = false }: TruncateOptions = {}): Promise<void> {
    const truncate = async () => {
      await this.#data.truncate(sizeBytes)
      if (sizeBytes > 0) return
      this.#origin.emptied()
      void this.#data.content.ownerChanged()
    }
    return this.#change(truncate, leaver, { isByPath })
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
      // What the file is made of must be what it was then, should that turn out to be stored.
      if (loans.isChanging(source.key) || !isThere() || !this.unanswered.isEmpty) return false
      isBorrowed = this.#data.borrow(offset, sizeBytes, source, sourceOffset)
      if (isBorrowed) loans.add(source.key, this)
      return isBorrowed
    }, leaver)
    return isBorrowed
  }

  /** Makes everything local: the stored object is about to go. Call it under the lock. ENOSPC where there is no room. */
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
      const mayChangeBytes = this.#unstored.isContentDirty
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
    this.#unstored.isDirty = false
    if (keeping === undefined || !this.#unstored.isContentDirty || !this.#unstored.isWritten || this.#target.isUnlinked)
      return this.#data.content.dispose().then(() => undefined)
    const keptAtMs = this.#services.clock.nowMs()
    // It may have been renamed since it was to be kept.
    return this.#data.keep({ ...keeping, path: this.#target.path, sizeBytes: this.sizeBytes, keptAtMs })
  }

  /** ENOSPC when bytes are needed under another name that only the parts under this one hold. */
  checkMovable(): void {
    this.#data.checkHeld('renamed')
  }

  /**
   * The file has another name; call it under the lock. `base` is where its stored bytes are now. Parts that were
   * sent under the old name are lost, so everything goes out again from staging. `replaces`: over another file.
   */
  moved(base: ObjectVersion | undefined, replaces: boolean): void {
    this.#origin.renamed(replaces)
    if (base !== undefined) this.rebase(base)
    void this.#data.content.ownerChanged()
    this.#data.endStream()
  }

  /** The stored object is the same, under another ETag or key; call it under the lock. */
  rebase(version: ObjectVersion): void {
    if (this.#origin.version === undefined) return
    this.#data.remote.replace(this.#origin.version, version)
    this.#origin.version = version
    void this.#data.content.ownerChanged()
  }

  /** Runs a change under the lock; it says if it changed nothing. */
  #change(task: () => Promise<unknown>, leaver?: Leaver, { isByPath = false, isAppend = false } = {}): Promise<void> {
    return this.#target.lock.run(async () => {
      if ((await task()) === false) return
      if (!isAppend) this.#unstored.appendedFrom = undefined
      this.#unstored.isWritten ||= !isByPath
      this.#unstored.isContentDirty = true
      this.touch()
    }, leaver)
  }

  /** `mayChangeBytes`: nobody else needs those that are stored. */
  async #tryCommit(mayChangeBytes: boolean): Promise<'done' | 'again'> {
    if (!this.#unstored.isDirty || this.#target.isUnlinked) return 'done'
    if (this.#unstored.isContentDirty && !mayChangeBytes) return 'again'
    const signal = new CallSignal()
    this.#stepAside = signal
    const moves = this.#sourceMoves
    const use = this.#data.content.use()
    try {
      await this.#publish(signal)
      return 'done'
    } catch (error) {
      if (isStoreError(error) && error.ambiguous) this.#target.unanswered()
      if (signal.aborted || this.#sourceMoves !== moves) return 'again'
      throw await this.#failed(error)
    } finally {
      await use.done()
    }
  }

  /** Resolves with what the program is told. */
  async #failed(error: unknown): Promise<unknown> {
    const isTaken = this.#origin.isExclusive && isStoreError(error, 'precondition-failed')
    const told = isTaken ? new FsError('EEXIST', `${this.#target.path} was made by another writer first`, error) : error
    this.#unstored.failed(told)
    if (isStoreError(error, 'precondition-failed', 'not-found')) this.#target.refused()
    if (this.#unstored.isContentDirty) await this.secure()
    return told
  }

  async #publish(signal: CallSignal): Promise<void> {
    const { count } = this.#unstored
    const base = this.#origin.version
    if (base === undefined || this.#unstored.isContentDirty) await this.#publishContent(signal)
    else {
      const attachments = await this.#target.attachments()
      const stored = await this.#services.committer.replaceAttachments(base, attachments)
      this.#services.loans.moved(base, this.#committed(stored, attachments))
    }
    // Attributes do not wait for the lock: those that came meanwhile are the next commit's.
    this.#unstored.stored(count)
  }

  async #publishContent(signal: CallSignal): Promise<void> {
    const { result, kept, wanted } = await this.#sendSettled(signal)
    const version = this.#committed(result, kept)
    await this.#allStored(version)
    // Metadata is taken when an upload begins; what changed since costs one copy.
    if (!isDeepStrictEqual(kept, wanted))
      this.#committed(await this.#services.committer.replaceAttachments(version, wanted), wanted)
  }

  #allStored(version: ObjectVersion): Promise<void> | undefined {
    this.#unstored.storedContent(this.sizeBytes)
    this.#services.loans.end(this)
    return this.#data.stored(version)?.dispose()
  }

  /** Sends until it is stored, or something stands in the way that is not for the writer to settle. */
  #sendSettled(signal: CallSignal, mayFollow = true): Promise<Committed> {
    const { count } = this.#unstored
    return this.#send(signal).catch(async (error: unknown) => {
      const mayBeStored = isStoreError(error, 'precondition-failed', 'not-found', 'no-such-upload')
      const found = mayBeStored ? await this.settle() : undefined
      if (found?.changes === count)
        return { result: found.version, kept: found.attachments, wanted: await this.#target.attachments() }
      const isLost = this.#data.stream !== undefined && isStoreError(error, 'no-such-upload')
      const follows = found === undefined && !isLost && mayFollow && (await this.#followOthers(error))
      if (found === undefined && !isLost && !follows) throw error
      if (found === undefined && isLost) this.#data.lostStream(error)
      return this.#sendSettled(signal, mayFollow && !follows)
    })
  }

  #send(signal: CallSignal): Promise<Committed> {
    const { file } = this
    const changes = this.#unstored.count
    return this.#services.committer.commit({
      key: this.#target.path,
      file,
      stream: this.#data.stream,
      conditions: this.#origin.conditions,
      attachments: told => this.#attachments(told),
      signal,
      unanswered: sent => {
        this.unanswered.add({ ...sent, changes })
        // What may be stored already must not be appended once more.
        this.#unstored.appendedFrom = undefined
      },
    })
  }

  /** An empty file looks like anybody's: one that must be new says whose it is. */
  #attachments(told?: Told): Promise<Attachments> {
    const kept = this.#target.attachments(told)
    if (!this.#origin.isExclusive || this.sizeBytes > 0) return kept
    return kept.then(all => ({ ...all, metadata: { ...all.metadata, [WRITE_ID]: this.#services.newId() } }))
  }

  /**
   * Looks what has become of commits that got no answer, if there were any; call it under the lock. Where one of them had
   * been carried out, the file is an edit of what that has stored from now on.
   */
  async settle(): Promise<(SentState & { readonly version: ObjectVersion }) | undefined> {
    if (this.unanswered.isEmpty || this.#hasEnded) return undefined
    const found = await this.#target.current()
    const sent = this.unanswered.find(found)
    if (found === undefined || sent === undefined) return undefined
    this.#data.foundStored(found)
    const version = this.#committed(found, sent.attachments, found)
    if (sent.changes === this.#unstored.count) await this.#allStored(version)
    return { ...sent, version }
  }

  /**
   * What was only appended belongs behind what others have made of the file meanwhile. True when it stands there now,
   * and the commit that was refused is to be tried again.
   */
  async #followOthers(refusal: unknown): Promise<boolean> {
    const from = this.#unstored.appendedFrom
    if (!isStoreError(refusal, 'precondition-failed') || this.#origin.isExclusive || from === undefined) return false
    const current = await this.#data.follow(() => this.#target.current(), from)
    if (current === undefined) return false
    this.#origin.is(current)
    void this.#data.content.ownerChanged()
    this.#unstored.appendedFrom = current.sizeBytes
    this.#target.rebased(current)
    return true
  }

  #committed(
    { etag, versionId }: WriteResult,
    attachments: Attachments,
    { sizeBytes, lastModifiedMs } = { sizeBytes: this.sizeBytes, lastModifiedMs: this.#services.clock.nowMs() },
  ): ObjectVersion {
    const version = { key: this.#target.path, sizeBytes, etag, versionId, lastModifiedMs }
    this.rebase(version)
    this.#origin.is(version)
    this.unanswered.clear()
    this.#target.committed(version, attachments)
    return version
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
