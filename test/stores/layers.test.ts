import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { LimitsLayer } from '../../src/backend/layers/limits-layer.js'
import { Meter } from '../../src/backend/layers/meter.js'
import { MeteringLayer } from '../../src/backend/layers/metering-layer.js'
import { PrefixLayer } from '../../src/backend/layers/prefix-layer.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import type { StoreOperation } from '../../src/backend/layers/store-operation.js'
import { MemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { seededRandom } from '../support/store-tools.js'
import { objectStoreSuite } from './object-store.suite.js'
import type { SuiteOptions } from './suite/suite-context.js'

function suiteOver(name: string, wrap: (store: ObjectStore) => ObjectStore, options?: SuiteOptions): void {
  const open = async () => {
    const store = wrap(new MemoryStore('mem://layers', undefined, { minPartBytes: 5000 }))
    return { store, prefix: '', dispose: () => store.close() }
  }
  objectStoreSuite(name, open, options)
}

suiteOver('prefix over memory', store => new PrefixLayer(store, 'of the user/'), { maxKeyBytes: 1024 - 12 })
suiteOver('limits over memory', store => new LimitsLayer(store, { concurrency: 2 }))
suiteOver('metering over memory', store => new MeteringLayer(store, new Meter()))
suiteOver('retry over memory', store => new RetryLayer(store))

/** A `createUpload` whose answer is lost leaves an upload that the suite does not know of. */
const LOSE_ANSWERS: readonly StoreOperation[] = [
  'head',
  'list',
  'put',
  'part',
  'copyPart',
  'complete',
  'copy',
  'traits',
  'delete',
]

/** About every third call fails in a way that a repetition mends, half of them after they were carried out. */
function faulty(store: ObjectStore, seed: number): ObjectStore {
  const random = seededRandom(seed)
  const rules = new FaultRules(
    [
      { fault: { kind: 'unavailable', cutBodyAfterBytes: 1000 }, operations: ['get'], probability: 0.15 },
      { fault: { kind: 'unavailable', cutBodyAfterBytes: 0 }, operations: ['get'], probability: 0.05 },
      { fault: { kind: 'unavailable', when: 'after' }, operations: LOSE_ANSWERS, probability: 0.15 },
      { fault: { kind: 'throttled', retryAfterMs: 1 }, probability: 0.1 },
      { fault: { kind: 'unavailable' }, probability: 0.1 },
    ],
    random,
  )
  return new RetryLayer(new FaultLayer(store, rules), { baseDelayMs: 0.01, maxDelayMs: 1, maxAttempts: 100, random })
}

for (const seed of [1, 2, 3])
  suiteOver(`retry over faults, seed ${seed}`, store => faulty(store, seed), { manyKeys: 1100 })

suiteOver(
  'the whole stack',
  store => {
    const metered = new MeteringLayer(faulty(store, 4), new Meter())
    return new PrefixLayer(new RetryLayer(new LimitsLayer(metered, { concurrency: 4 })), 'p/')
  },
  { maxKeyBytes: 1022 },
)
