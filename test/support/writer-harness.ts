import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SILENT } from '../../src/backend/log.js'
import type { Attachments, ObjectInfo, ObjectStore } from '../../src/backend/object-store.js'
import { PartSizes } from '../../src/backend/part-sizes.js'
import { isStoreError } from '../../src/backend/store-error.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import { BufferPool } from '../../src/fs/buffer-pool.js'
import { Committer } from '../../src/fs/commit.js'
import { FileWriter } from '../../src/fs/file-writer.js'
import type { Keeping } from '../../src/fs/kept-files.js'
import { Loans } from '../../src/fs/loans.js'
import { MemoryBudget } from '../../src/fs/memory-budget.js'
import { Mutex } from '../../src/fs/mutex.js'
import { PartStream } from '../../src/fs/part-stream.js'
import { piecesOf } from '../../src/fs/pieces.js'
import { Reader } from '../../src/fs/reader.js'
import { StagingArea } from '../../src/fs/staging.js'
import type { WriterServices } from '../../src/fs/writer-services.js'

const MIB = 1024 * 1024

/** Writers over a store without a filesystem around them. */
export class WriterHarness {
  readonly store: ObjectStore
  readonly services: WriterServices
  readonly reader: Reader
  readonly folder: string

  private constructor(store: ObjectStore, area: StagingArea, folder: string, partBytes: number) {
    this.store = store
    this.folder = folder
    const sizes = new PartSizes(partBytes)
    const budget = new MemoryBudget(new BufferBudget(128 * MIB), 64 * MIB)
    const chunks = new BufferPool(Math.min(MIB, partBytes))
    const nowMs = () => 1_700_000_000_000
    const concurrency = 3
    const log = SILENT
    this.services = {
      committer: new Committer({ store, area, sizes, concurrency, nowMs, leastPartBytes: 1 }),
      newStream: (key, attachments) =>
        new PartStream({ store, key, attachments, sizes, concurrency, budget, chunks, area, log, nowMs }),
      loans: new Loans(log),
      area,
      budget,
      sizes,
      clock: { nowMs },
      log,
      newId: () => 'id',
    }
    const blocks = new BlockCache({
      lane: new MainLane(store),
      memory: new BufferBudget(8 * MIB),
      blockSizeBytes: 64 * 1024,
    })
    this.reader = new Reader(blocks, 0, () => 0)
  }

  static async open(store: ObjectStore, { maxStagingBytes = 1e9, partBytes = 5 * MIB } = {}): Promise<WriterHarness> {
    const folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
    const area = await StagingArea.open({
      folder,
      source: { url: 'mem://harness' },
      maxBytes: maxStagingBytes,
      maxKeptBytes: 1e9,
      log: SILENT,
    })
    return new WriterHarness(store, area, folder, partBytes)
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true })
  }

  /** The writer of an object as it is now; of a new file where there is none. */
  async writer(path: string): Promise<FileWriter> {
    const target = {
      path,
      lock: new Mutex(),
      isUnlinked: false,
      unanswered: () => undefined,
      whileNamed: <T>(task: () => Promise<T>) => task(),
      expectAttachments: () => undefined,
      attachments: async (): Promise<Attachments> => ({}),
      current: () => this.version(path),
      rebased: () => undefined,
      committed: () => undefined,
      refused: () => undefined,
    }
    return new FileWriter(target, await this.version(path), this.services)
  }

  async version(path: string): Promise<ObjectInfo | undefined> {
    try {
      return await this.store.head(path)
    } catch (error) {
      if (isStoreError(error, 'not-found')) return undefined
      throw error
    }
  }

  /** What a program would read. */
  async bytesOf(writer: FileWriter, offset = 0, sizeBytes = writer.sizeBytes): Promise<Buffer> {
    const { file } = writer
    const { signal } = new AbortController()
    const chunks: Uint8Array[] = []
    for (const piece of piecesOf(file, offset, offset + sizeBytes)) {
      const length = piece.end - piece.start
      if (piece.kind === 'local') chunks.push(await file.content.read(piece.start, piece.end))
      else if (piece.kind === 'remote')
        chunks.push(await this.reader.readBytes(piece.version, piece.offset, length, signal))
      else chunks.push(Buffer.alloc(length))
    }
    return Buffer.concat(chunks)
  }

  async stored(key: string): Promise<Buffer> {
    const { body } = await this.store.get(key)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
}

/** For the end of a writer that has something to keep. */
export function keeping(reason: string): Keeping {
  return { reason, path: '', shownEtag: undefined, attachments: undefined }
}
