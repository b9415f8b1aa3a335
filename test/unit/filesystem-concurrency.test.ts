import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { type Fault, FaultRules } from '../../src/backend/layers/fault-rules.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { Mutex } from '../../src/fs/mutex.js'
import { Driver, type Outcome } from '../model/driver.js'
import { Harness } from '../support/filesystem-harness.js'

const KIB = 1024
const PATHS = ['a', 'b', 'c'] as const

const path = fc.constantFrom(...PATHS)
const step = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), path, sizeBytes: fc.nat(9 * KIB), append: fc.boolean() }),
  fc.record({ kind: fc.constant('replace' as const), path, sizeBytes: fc.nat(9 * KIB), append: fc.constant(false) }),
  fc.record({ kind: fc.constant('read' as const), path }),
  fc.record({ kind: fc.constant('truncate' as const), path, sizeBytes: fc.nat(9 * KIB) }),
  fc.record({ kind: fc.constant('chmod' as const), path, mode: fc.constantFrom(0o600, 0o640, 0o644) }),
  fc.record({ kind: fc.constant('unlink' as const), path }),
  fc.record({ kind: fc.constant('rename' as const), path, to: path }),
  fc.record({ kind: fc.constant('list' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What a program may hear of a name that another program removes or moves at the same moment. */
const OF_NAMES = ['ENOENT', 'EEXIST', 'ESTALE']

class Programs {
  readonly #h: Harness
  readonly #driver: Driver
  readonly #mayFail: boolean
  /** The kernel changes the names of a folder one at a time. */
  readonly #names = new Mutex()

  /** `mayFail`: the store does. */
  constructor(h: Harness, mayFail: boolean) {
    this.#h = h
    this.#mayFail = mayFail
    this.#driver = new Driver(h)
  }

  async run(given: Step): Promise<void> {
    const driver = this.#driver
    if (given.kind === 'write' || given.kind === 'replace') return this.#write(given)
    if (given.kind === 'read') return this.#read(given.path)
    if (given.kind === 'truncate')
      return this.#expectName(await driver.setattr(given.path, { sizeBytes: given.sizeBytes }))
    if (given.kind === 'chmod') return this.#expectName(await driver.setattr(given.path, { mode: given.mode }))
    if (given.kind === 'list') return this.#expectName(await driver.list('', true))
    this.#expectName(
      await this.#names.run(() =>
        given.kind === 'unlink'
          ? driver.remove(given.path, 'unlink')
          : driver.rename(given.path, given.to, { noReplace: false, exchange: false }),
      ),
    )
  }

  async #write({ path, sizeBytes, append, kind }: Step & { kind: 'write' | 'replace' }): Promise<void> {
    const flags = { write: true, append, truncate: kind === 'replace' }
    const opened = await this.#names.run(() => this.#driver.create(path, flags))
    if ('errno' in opened) return this.#expectName(opened)
    const calls: Outcome<unknown>[] = []
    for (let at = 0; at < sizeBytes; at += KIB) {
      const bytes = Buffer.alloc(Math.min(KIB, sizeBytes - at), path)
      calls.push(await this.#driver.on(this.#h.write(opened.value, at, bytes)))
    }
    calls.push(await this.#driver.on(this.#h.closeFile(opened.value)))
    if (!this.#mayFail) expect(calls.filter(call => 'errno' in call)).toEqual([])
  }

  async #read(path: string): Promise<void> {
    const opened = await this.#driver.open(path, {})
    if ('errno' in opened) return this.#expectName(opened)
    for (let at = 0; at < 8 * KIB; at += 2 * KIB)
      this.#expectName(await this.#driver.on(this.#h.read(opened.value, at, 2 * KIB)))
    await this.#h.closeFile(opened.value)
  }

  #expectName(outcome: Outcome<unknown>): void {
    if ('errno' in outcome && !this.#mayFail) expect(OF_NAMES).toContain(outcome.errno)
  }
}

/** For each request how slow it is. */
const slowness = fc.array(fc.constantFrom<Fault>({}, {}, { delayMs: 1 }, { delayMs: 2 }), {
  minLength: 10,
  maxLength: 60,
})
const failures = fc.array(
  fc.constantFrom<Fault>(
    {},
    {},
    { delayMs: 1 },
    { kind: 'unavailable' },
    { kind: 'unavailable', when: 'after', delayMs: 1 },
  ),
  { minLength: 10, maxLength: 60 },
)

/** Of some programs at the same time, what each of them does, one after the other. */
const programs = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 4 })

let buckets = 0

/** Runs programs over a store that answers as told, and sees that the mount shows what the bucket holds in the end. */
async function runAll(
  all: readonly (readonly Step[])[],
  answers: readonly Fault[],
  metadataTtlMs: number,
): Promise<Harness> {
  buckets += 1
  const inner = openMemoryStore(`concurrency-${buckets}`, { minPartBytes: 1 })
  const rules = new FaultRules(answers.map((fault, i) => ({ nth: i + 1, fault })))
  const store = new FaultLayer(inner, rules)
  const h = await Harness.open({ store, metadataTtlMs, partSizeBytes: 4 * KIB, writeMemoryBytes: 64 * KIB })
  const running = new Programs(
    h,
    answers.some(({ kind }) => kind !== undefined),
  )
  await Promise.all(
    all.map(async steps => {
      for (const one of steps) await running.run(one)
    }),
  )
  rules.clear()
  h.nowMs += answers.some(({ kind }) => kind !== undefined) ? 11_000 : 0
  const stored = (await inner.list()).objects.map(({ key }) => key)
  expect((await h.list('')).sort()).toEqual(stored)
  for (const key of stored) expect((await h.readFile(key)).toString()).toBe(await h.stored(key))
  expect(await readdir(join(h.folder, 'staging'))).toEqual([])
  return h
}

it('programs that work on the same files at once neither wait for ever nor lose a stored byte', async () => {
  await fc.assert(
    fc.asyncProperty(programs, slowness, fc.constantFrom(0, 10_000), async (all, answers, ttlMs) => {
      const h = await runAll(all, answers, ttlMs)
      for (const name of ['kept', 'uploads']) expect(await readdir(join(h.folder, name)), name).toEqual([])
      await h.close()
    }),
    { numRuns: 100 },
  )
}, 60_000)

it('the mount shows what the bucket holds after any failures of the store', async () => {
  await fc.assert(
    fc.asyncProperty(programs, failures, fc.constantFrom(0, 10_000), async (all, answers, ttlMs) => {
      await (await runAll(all, answers, ttlMs)).close()
    }),
    { numRuns: 100 },
  )
}, 60_000)
