import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { onAbort } from '../../src/backend/call.js'
import { abortSignalOf } from '../../src/backend/call-signal.js'
import { fillSink } from '../../src/backend/fill-sink.js'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ByteRange, ObjectStore, PrepareReadOptions, ReadPlan } from '../../src/backend/object-store.js'
import { isStoreError, StoreError } from '../../src/backend/store-error.js'
import type { BlockSource } from '../../src/cache/block.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import { MemoryBudget } from '../../src/fs/memory-budget.js'

const CELL_BYTES = 512
/** More than a read can need: what is between two blocks of four cells, and those. */
const MAX_BYTES = 6 * 1024
const CHUNK_BYTES = 700
const SIZES = [1, 5000, 8000]

/** Answers piece by piece when the scheduler says so, and fails where the test says so. */
class SlowStore extends StoreLayer {
  /** Ranges under way that nobody has given up. */
  readonly open = new Set<{ readonly key: string; readonly range: ByteRange }>()
  /** What was asked for while it was under way. */
  readonly twice: string[] = []
  readonly #scheduler: fc.Scheduler
  readonly #onStep: () => void
  readonly #failures: boolean[]

  constructor(inner: ObjectStore, scheduler: fc.Scheduler, failures: boolean[], onStep: () => void) {
    super(inner)
    this.#scheduler = scheduler
    this.#failures = failures
    this.#onStep = onStep
  }

  override async prepareRead(key: string, range: ByteRange, options?: PrepareReadOptions): Promise<ReadPlan> {
    const fails = this.#failures.shift() ?? false
    const run: ReadPlan['run'] = async (sink, signal) => {
      const checkWanted = () => {
        if (signal?.aborted === true) throw new StoreError('aborted', 'given up', { operation: 'get' })
      }
      checkWanted()
      const request = { key, range }
      for (const other of this.open) {
        const isApart = other.range.offset >= endOf(range) || endOf(other.range) <= range.offset
        if (other.key === key && !isApart) this.twice.push(`${key} at ${range.offset}`)
      }
      this.open.add(request)
      const leave = () => this.open.delete(request)
      onAbort(signal, leave)
      try {
        const { info, body } = await this.inner.get(key, { ...options, signal: abortSignalOf(options?.signal), range })
        for await (const bytes of body)
          for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
            await this.#scheduler.schedule(Promise.resolve(), `${key} ${range.offset + at}`)
            this.#onStep()
            checkWanted()
            if (fails && at > 0) throw new StoreError('unavailable', 'broken off', { operation: 'get' })
            fillSink(sink, bytes.subarray(at, at + CHUNK_BYTES))
          }
        return info
      } finally {
        leave()
      }
    }
    return { key, range, run }
  }
}

const endOf = (range: ByteRange) => range.offset + range.lengthBytes

const file = fc.nat(SIZES.length - 1)
const owner = fc.nat(2)
const command = fc.oneof(
  fc.record({
    kind: fc.constant('read' as const),
    file,
    at: fc.nat(8000),
    sizeBytes: fc.nat(1500),
    held: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('ahead' as const), file, at: fc.nat(8000), sizeBytes: fc.nat(1500), owner }),
  fc.record({ kind: fc.constant('cancel' as const), owner }),
  fc.record({ kind: fc.constant('abort' as const), read: fc.nat(20) }),
  fc.record({ kind: fc.constant('let go' as const) }),
  fc.record({ kind: fc.constant('write' as const), sizeBytes: fc.nat(MAX_BYTES) }),
  fc.record({ kind: fc.constant('stored' as const) }),
  fc.record({ kind: fc.constant('step' as const) }),
  fc.record({ kind: fc.constant('run' as const), steps: fc.nat(20) }),
)

type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

async function letRun(scheduler: fc.Scheduler, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    if (scheduler.count() > 0) await scheduler.waitOne()
    else await setImmediate()
  }
}

let stores = 0

async function check(scheduler: fc.Scheduler, commands: readonly Command[], failures: boolean[]): Promise<void> {
  stores += 1
  const memory = openMemoryStore(`block-cache-model-${stores}`)
  const contents = SIZES.map((sizeBytes, n) =>
    Buffer.from(Array.from({ length: sizeBytes }, (_, i) => i * 7 + (i >> 8) + n)),
  )
  const sources: BlockSource[] = []
  for (const [n, bytes] of contents.entries())
    sources.push({ key: `f${n}`, sizeBytes: bytes.length, etag: (await memory.put(`f${n}`, bytes)).etag })
  const bound = () => {
    if (cache.heldBytes > MAX_BYTES) throw new Error(`${cache.heldBytes} bytes held`)
  }
  const store = new SlowStore(memory, scheduler, failures, bound)
  const shared = new BufferBudget(MAX_BYTES)
  const cache = new BlockCache({ lane: new MainLane(store), memory: shared, blockSizeBytes: CELL_BYTES })
  const writers = new MemoryBudget(shared)
  const written: number[] = []
  const owners = [{}, {}, {}]
  const aborts: AbortController[] = []
  const reads: Promise<unknown>[] = []
  const kept: (() => void)[] = []

  const read = (source: BlockSource, bytes: Buffer, at: number, sizeBytes: number, held: boolean) => {
    const abort = new AbortController()
    aborts.push(abort)
    let answers = 0
    const expected = bytes.subarray(at, at + sizeBytes)
    const send = (views: readonly Uint8Array[], release: () => void) => {
      answers += 1
      const isRight = () => Buffer.concat(views).equals(expected)
      if (!isRight()) throw new Error(`wrong bytes at ${at} of ${source.key}`)
      if (!held) return release()
      kept.push(() => {
        if (!isRight()) throw new Error(`bytes at ${at} of ${source.key} were written over`)
        release()
      })
    }
    const answered = cache.read(source, at, sizeBytes, { send }, abort).then(
      () => {
        if (answers !== 1) throw new Error(`${answers} answers`)
      },
      error => {
        if (answers > 0 || !isStoreError(error, 'aborted', 'unavailable')) throw error
        if (error.kind === 'aborted' && !abort.signal.aborted) throw error
      },
    )
    reads.push(answered)
    answered.catch(() => undefined)
  }

  for (const one of commands) {
    if (one.kind === 'step') {
      if (scheduler.count() > 0) await scheduler.waitOne()
    } else if (one.kind === 'run') await letRun(scheduler, one.steps)
    else if (one.kind === 'write') {
      if (writers.take(one.sizeBytes)) written.push(one.sizeBytes)
    } else if (one.kind === 'stored') writers.giveBack(written.shift() ?? 0)
    else if (one.kind === 'let go') kept.shift()?.()
    else if (one.kind === 'abort') aborts[one.read]?.abort()
    else if (one.kind === 'cancel') cache.cancelReadAhead(owners[one.owner] ?? {})
    else {
      const source = sources[one.file]
      const bytes = contents[one.file]
      if (source === undefined || bytes === undefined) continue
      if (one.kind === 'read') read(source, bytes, one.at, one.sizeBytes, one.held)
      else cache.readAhead(source, one.at, one.sizeBytes, owners[one.owner] ?? {})
    }
    bound()
  }
  const letGo = () => {
    for (const release of kept.splice(0)) release()
  }
  // What writers still hold they never give back.
  let isOver = false
  const all = Promise.all(reads).finally(() => {
    isOver = true
  })
  all.catch(() => undefined)
  while (!isOver) {
    letGo()
    await letRun(scheduler, 1)
  }
  await all
  letGo()
  if (store.twice.length > 0) throw new Error(`fetched twice: ${store.twice}`)
}

describe('the block cache', () => {
  it('answers every read rightly and once, within its bound, and fetches nothing twice at a time', async () => {
    const property = fc.asyncProperty(
      fc.scheduler(),
      fc.array(command, { maxLength: 150, size: 'max' }),
      fc.array(fc.boolean(), { maxLength: 12, size: 'max' }),
      check,
    )
    await fc.assert(property, { numRuns: 150 })
  })
})
