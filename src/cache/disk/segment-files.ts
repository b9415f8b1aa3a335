import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import type { Log } from '../../backend/log.js'
import type { Clock } from '../clock.js'
import type { CacheFolder } from './cache-folder.js'
import { DataWrites } from './data-writes.js'
import { DamagedSegment, SegmentFile } from './segment-file.js'
import type { SegmentIdentity } from './segment-format.js'

/** Open at once at the most; one that was removed takes room of the disk until it is closed. */
const MAX_OPEN = 64
const IDLE_MS = 30_000

/** What was not there is looked for again only so much later, unless this process makes it. */
const ABSENT_MS = 2000
const MAX_ABSENT = 4096

/** The segments that are open. What `find` gives must be given back by its `done`, what `make`
 * gives by `wrote`. */
export class SegmentFiles {
  readonly #folder: CacheFolder
  readonly #clock: Clock
  readonly #log: Log
  readonly #open = new LRUCache<string, SegmentFile>({
    max: MAX_OPEN,
    ttl: IDLE_MS,
    ttlAutopurge: true,
    updateAgeOnGet: true,
    dispose: file => file.drop(),
  })
  readonly #absent = new LRUCache<string, true>({ max: MAX_ABSENT, ttl: ABSENT_MS })
  readonly #writes: DataWrites
  #noting = Promise.resolve()
  #hasTold = false

  /** `mayWait`: what the disk is asked may hold this thread up. */
  constructor(folder: CacheFolder, clock: Clock, log: Log, mayWait = false) {
    this.#writes = new DataWrites(() => performance.now(), mayWait)
    this.#folder = folder
    this.#clock = clock
    this.#log = log
  }

  /** Undefined where there is none. Rejects with what the disk says. */
  async find(identity: SegmentIdentity): Promise<SegmentFile | undefined> {
    const { name } = identity
    const open = this.#open.get(name)
    if (open !== undefined) {
      if (await this.#isThere(open)) return open
      if (this.#open.get(name) === open) this.#open.delete(name)
    }
    if (this.#absent.has(name)) return undefined
    const file = await this.#openFile(identity)
    if (file === undefined) this.#absent.set(name, true)
    else this.#keep(name, file)
    return file
  }

  /** The one that is there, or a new one. One call at a time. Rejects with what the disk says. */
  async make(identity: SegmentIdentity): Promise<SegmentFile> {
    const found = await this.find(identity)
    if (found !== undefined) return found
    const to = this.#folder.pathOf(identity.name)
    // Containers that share the folder may have the same process numbers.
    const from = `${to}.${randomUUID()}.new`
    if (this.#writes.mayWait) this.#folder.makeForSync(to)
    const file = await SegmentFile.create(from, to, identity).catch(async error => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await this.#folder.makeFor(to)
      return SegmentFile.create(from, to, identity)
    })
    file.use()
    return file
  }

  /** Writes to what `make` gave: a new one is found from now on. */
  async write(identity: SegmentIdentity, file: SegmentFile, first: number, bytes: Uint8Array): Promise<void> {
    const isNew = !file.isBorn
    await file.write(first, bytes, this.#writes)
    if (!isNew) return
    this.#absent.delete(identity.name)
    this.#open.set(identity.name, file)
  }

  /** What `make` gave is needed no longer. */
  async wrote(file: SegmentFile): Promise<void> {
    try {
      if (file.isBorn) return
      file.drop()
      await file.giveUpBirth()
    } finally {
      file.done()
    }
  }

  /** Others in this process have written to it. */
  changed({ name }: SegmentIdentity): void {
    this.#absent.delete(name)
    this.#open.get(name)?.changed()
  }

  /** A cell is damaged: it and those behind it that were read with it are misses from now on. */
  async remove(file: SegmentFile, first: number, count: number): Promise<void> {
    this.#tell()
    await file.remove(first, count)
  }

  close(): void {
    this.#open.clear()
  }

  #keep(name: string, file: SegmentFile): void {
    file.use()
    this.#open.set(name, file)
  }

  /** True: it is in use by the caller. */
  async #isThere(file: SegmentFile): Promise<boolean> {
    file.use()
    let isThere = false
    try {
      isThere = await file.isThere(this.#clock.nowMs())
      return isThere
    } finally {
      if (!isThere) file.done()
    }
  }

  async #openFile(identity: SegmentIdentity): Promise<SegmentFile | undefined> {
    const path = this.#folder.pathOf(identity.name)
    if (this.#writes.mayWait && !existsSync(path)) return undefined
    try {
      const file = await SegmentFile.open(path, identity, this.#clock.nowMs())
      if (file !== undefined) this.#noteUse(file)
      return file
    } catch (error) {
      if (!(error instanceof DamagedSegment)) throw error
      this.#tell()
      // Where it can't be removed, on a disk for reading only, it is as good as not there.
      await unlink(path).catch(() => undefined)
      return undefined
    }
  }

  /** Nobody waits for it. One after the other: a disk that hangs holds one thread by that. */
  #noteUse(file: SegmentFile): void {
    file.use()
    this.#noting = this.#noting
      .then(() => file.noteUse(this.#clock.nowMs()))
      .catch(() => undefined)
      .finally(() => file.done())
  }

  #tell(): void {
    if (this.#hasTold) return
    this.#hasTold = true
    this.#log.warn('bytes of the disk cache are damaged; they come from the store again (said once)', {
      folder: this.#folder.path,
    })
  }
}
