import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Meter } from '../../src/backend/layers/meter.js'
import { MeteringLayer } from '../../src/backend/layers/metering-layer.js'
import { type Log, SILENT } from '../../src/backend/log.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { FolderTimes } from '../../src/cache/folder-times.js'
import { KnownVersions } from '../../src/cache/known-versions.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import { MetadataCache } from '../../src/cache/metadata-cache.js'
import { BucketFilesystem } from '../../src/fs/filesystem.js'
import type { FilesystemOptions } from '../../src/fs/filesystem-options.js'
import { errnoOf } from '../../src/fs/fs-error.js'
import { MemoryBudget } from '../../src/fs/memory-budget.js'
import { type CallContext, type Entry, type OpenFlags, ROOT_NODE, type SetAttributes } from '../../src/fs/operations.js'
import { RenameJournal } from '../../src/fs/rename-journal.js'
import { resumeRenames } from '../../src/fs/resume-renames.js'
import { StagingArea } from '../../src/fs/staging.js'
import { callContext } from './call-context.js'
import { endsWithTest } from './ends-with-test.js'

const MIB = 1024 * 1024

export interface HarnessOptions extends Partial<Omit<FilesystemOptions, 'writeMemory'>> {
  /** What writers may hold in memory. */
  readonly writeMemoryBytes?: number
  readonly maxStagingBytes?: number
  readonly bucket?: string
  /** The state folder; default a new one. */
  readonly folder?: string
  readonly startMs?: number
}

let buckets = 0

/** A filesystem over a store in memory, driven by paths as a program would, without a kernel. */
export class Harness {
  readonly store: ObjectStore
  readonly meter: Meter
  readonly filesystem: BucketFilesystem
  readonly folder: string
  nowMs: number
  /** pids that the holder probe says hold the file. */
  readonly holders = new Set<number>()
  /** Signals that are ending threads, by thread. */
  readonly killed = new Map<number, number>()
  readonly invalidated: string[] = []
  readonly #journal: RenameJournal
  readonly #log: Log
  readonly #counted = new Map<string, number>()

  private constructor(folder: string, area: StagingArea, journal: RenameJournal, options: HarnessOptions) {
    this.folder = folder
    this.#journal = journal
    this.#log = options.log ?? SILENT
    this.nowMs = options.startMs ?? 1_700_000_000_000
    const clock = { nowMs: () => this.nowMs }
    buckets += 1
    this.store = options.store ?? openMemoryStore(options.bucket ?? `harness-${buckets}`, { nowMs: clock.nowMs })
    this.meter = new Meter()
    const store = new MeteringLayer(this.store, this.meter)
    const metadataTtlMs = options.metadataTtlMs ?? 10_000
    const writeMemoryBytes = options.writeMemoryBytes ?? 64 * MIB
    const known = options.known ?? new KnownVersions(1000)
    const lane = new MainLane(store, () => known.asking())
    this.filesystem = new BucketFilesystem({
      known,
      folderTimes: new FolderTimes(1000),
      metadata: new MetadataCache({ store, clock, ttlMs: metadataTtlMs, maxEntries: 10_000 }),
      blocks: new BlockCache({ lane, memory: new BufferBudget(8 * MIB), blockSizeBytes: 64 * 1024 }),
      area,
      journal,
      kernelCache: {
        invalidateNode: node => this.invalidated.push(`node ${node}`),
        invalidateEntry: (parent, name) => this.invalidated.push(`entry ${parent} ${Buffer.from(name)}`),
      },
      holders: {
        isHeld: async pids => pids.some(pid => this.holders.has(pid)),
        killedBy: tid => this.killed.get(tid),
      },
      log: options.log ?? SILENT,
      clock,
      defaults: { uid: 1000, gid: 1000, fileMode: 0o644, directoryMode: 0o755 },
      asksAllAttributes: false,
      keptSignals: new Set([2, 9, 11, 15]),
      exclusiveCreate: 'close',
      maxReadAheadBytes: 2 * MIB,
      partSizeBytes: 5 * MIB,
      uploadConcurrency: 3,
      writeMemory: new MemoryBudget(new BufferBudget(2 * writeMemoryBytes), writeMemoryBytes),
      sizeBytes: 1e15,
      ...options,
      store,
      metadataTtlMs,
    })
  }

  static async open(options: HarnessOptions = {}): Promise<Harness> {
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'mount-bucket-test-')))
    const log: Log = options.log ?? SILENT
    const area = await StagingArea.open({
      folder,
      source: { url: 'mem://harness' },
      maxBytes: options.maxStagingBytes ?? 1e9,
      maxKeptBytes: 1e9,
      log,
    })
    const journal = await RenameJournal.open({ folder, log })
    return new Harness(folder, area, journal, options)
  }

  /** What a mount does before it serves. */
  resume(): Promise<void> {
    return resumeRenames(this.store, this.#journal, this.#log)
  }

  async close(): Promise<void> {
    await this.filesystem.shutdown()
    await rm(this.folder, { recursive: true, force: true })
  }

  /** Requests by operation since the last call. */
  requests(): Record<string, number> {
    const counts = Object.entries(this.meter.snapshot()).map(([name, count]) => [name, count.requests] as const)
    const since = counts.map(([name, count]) => [name, count - (this.#counted.get(name) ?? 0)] as const)
    for (const [name, count] of counts) this.#counted.set(name, count)
    return Object.fromEntries(since.filter(([, count]) => count > 0))
  }

  context(more: Partial<CallContext> = {}): CallContext {
    return callContext({ uid: 1000, gid: 1000, pid: 1, ...more })
  }

  /** Walks a path as the kernel would with an empty cache. ENOENT throws. */
  async walk(path: string): Promise<Entry> {
    const entry = await this.tryWalk(path)
    if (entry === undefined) throw new Error(`ENOENT ${path}`)
    return entry
  }

  async tryWalk(path: string): Promise<Entry | undefined> {
    let node = ROOT_NODE
    let entry: Entry | undefined
    for (const name of path.split('/')) {
      const found = await this.filesystem.lookup(node, Buffer.from(name), this.context())
      if (!('attributes' in found)) return undefined
      entry = found
      node = found.node
    }
    return entry
  }

  async parentOf(path: string): Promise<{ parent: number; name: Buffer }> {
    const slash = path.lastIndexOf('/')
    const parent = slash < 0 ? ROOT_NODE : (await this.walk(path.slice(0, slash))).node
    return { parent, name: Buffer.from(path.slice(slash + 1)) }
  }

  async open(path: string, flags: Partial<OpenFlags> = {}, more: Partial<CallContext> = {}): Promise<number> {
    return this.#fresh(path, async ({ node }) => {
      const { handle } = await this.filesystem.open(node, openFlags(flags), this.context(more))
      return handle
    })
  }

  /** The kernel looks a stale name up once more. */
  async #fresh<T>(path: string, call: (entry: Entry) => Promise<T>): Promise<T> {
    try {
      return await call(await this.walk(path))
    } catch (error) {
      if (errnoOf(error) === 'ESTALE') return call(await this.walk(path))
      throw error
    }
  }

  async create(path: string, flags: Partial<OpenFlags> = {}, mode = 0o644, more: Partial<CallContext> = {}) {
    const { parent, name } = await this.parentOf(path)
    const given = openFlags({ write: true, exclusive: true, ...flags })
    const { open, entry } = await this.filesystem.create(parent, name, mode, given, this.context(more))
    return { handle: open.handle, entry }
  }

  write(handle: number, offset: number, data: Uint8Array, more: Partial<CallContext> = {}): Promise<number> {
    const options = { fromPageCache: false, killPrivileges: false }
    return this.filesystem.write(handle, offset, data, options, this.context(more))
  }

  async read(handle: number, offset: number, sizeBytes: number): Promise<Buffer> {
    let bytes: Buffer | undefined
    const reply = {
      send: (views: readonly Uint8Array[], release: () => void) => {
        bytes = Buffer.concat(views)
        release()
      },
    }
    await this.filesystem.read(handle, offset, sizeBytes, reply, this.context())
    if (bytes === undefined) throw new Error('the read was not answered')
    return bytes
  }

  async closeFile(handle: number, more: Partial<CallContext> = {}): Promise<void> {
    try {
      await this.filesystem.flush(handle, this.context(more))
    } finally {
      await this.filesystem.release(handle)
    }
  }

  /** Creates (or replaces) a file, as `cp` does. */
  async writeFile(path: string, data: Uint8Array | string): Promise<void> {
    const bytes = Buffer.from(data)
    const exists = (await this.tryWalk(path)) !== undefined
    const handle = exists ? await this.open(path, { write: true, truncate: true }) : (await this.create(path)).handle
    for (let at = 0; at < bytes.length; at += MIB) await this.write(handle, at, bytes.subarray(at, at + MIB))
    await this.closeFile(handle)
  }

  async readFile(path: string): Promise<Buffer> {
    const handle = await this.open(path)
    const { attributes } = await this.walk(path)
    const pieces: Buffer[] = []
    for (let at = 0; at < attributes.sizeBytes; at += 128 * 1024) pieces.push(await this.read(handle, at, 128 * 1024))
    await this.closeFile(handle)
    return Buffer.concat(pieces)
  }

  async setattr(path: string, changes: SetAttributes): Promise<void> {
    await this.#fresh(path, ({ node }) => this.filesystem.setattr(node, changes, undefined, this.context()))
  }

  async mkdir(path: string, mode = 0o755): Promise<void> {
    const { parent, name } = await this.parentOf(path)
    await this.filesystem.mkdir(parent, name, mode, this.context())
  }

  async unlink(path: string): Promise<void> {
    const { parent, name } = await this.parentOf(path)
    await this.filesystem.unlink(parent, name, this.context())
  }

  async rmdir(path: string): Promise<void> {
    const { parent, name } = await this.parentOf(path)
    await this.filesystem.rmdir(parent, name, this.context())
  }

  async rename(from: string, to: string, flags = { noReplace: false, exchange: false }): Promise<void> {
    const source = await this.parentOf(from)
    const target = await this.parentOf(to)
    await this.filesystem.rename(source.parent, source.name, target.parent, target.name, flags, this.context())
  }

  /** Names in a folder without the dots; `perCall` entries at the most are taken by one readdir. */
  async list(path: string, perCall = 7, withAttributes = false): Promise<string[]> {
    const node = path === '' ? ROOT_NODE : (await this.walk(path)).node
    const opened = await this.filesystem.opendir(node, this.context()).catch(async (error: unknown) => {
      if (errnoOf(error) === 'ESTALE') return this.filesystem.opendir((await this.walk(path)).node, this.context())
      throw error
    })
    const { handle } = opened
    const names: string[] = []
    let offset = 0
    for (;;) {
      let taken = 0
      const sink = {
        add: (entry: { name: string | Uint8Array; nextOffset: number }) => {
          if (taken === perCall) return false
          taken += 1
          names.push(Buffer.from(entry.name).toString())
          offset = entry.nextOffset
          return true
        },
      }
      await this.filesystem.readdir(handle, offset, withAttributes, sink, this.context())
      if (taken === 0) break
    }
    await this.filesystem.releasedir(handle)
    return names.filter(name => name !== '.' && name !== '..')
  }

  /** What the bucket itself holds. */
  async stored(key: string): Promise<string | undefined> {
    try {
      const { body } = await this.store.get(key)
      const chunks: Uint8Array[] = []
      for await (const chunk of body) chunks.push(chunk)
      return Buffer.concat(chunks).toString('latin1')
    } catch {
      return undefined
    }
  }

  /** What another mount does. */
  async putOutside(key: string, data: string): Promise<void> {
    await this.store.put(key, Buffer.from(data))
  }
}

/** A filesystem that ends with the test. */
export async function harness(options: HarnessOptions = {}): Promise<Harness> {
  return endsWithTest(await Harness.open(options))
}

export function openFlags(flags: Partial<OpenFlags>): OpenFlags {
  return {
    read: true,
    write: false,
    append: false,
    truncate: false,
    exclusive: false,
    sync: false,
    killPrivileges: false,
    ...flags,
  }
}
