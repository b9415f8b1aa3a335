import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { type FaultRule, FaultRules } from '../../src/backend/layers/fault-rules.js'
import { LimitsLayer } from '../../src/backend/layers/limits-layer.js'
import { Meter } from '../../src/backend/layers/meter.js'
import { MeteringLayer } from '../../src/backend/layers/metering-layer.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import type { RetryOptions } from '../../src/backend/layers/retry/retry-policy.js'
import { MemoryStore } from '../../src/backend/memory/memory-store.js'
import type { Body } from '../../src/backend/object-store.js'
import { StoreError } from '../../src/backend/store-error.js'
import { JumpingTimers } from '../support/store-timers.js'
import { collect, contentOf, kindOf, PiecewiseSink, testBytes, text } from '../support/store-tools.js'

const MISSING_ETAG = '0'.repeat(32)

/** Retry over limits over metering over faults over memory. */
function stack(rules: readonly FaultRule[], options: RetryOptions = {}, concurrency = 100) {
  const timers = new JumpingTimers()
  const bare = new MemoryStore('mem://x', undefined, { minPartBytes: 1 })
  const meter = new Meter()
  const faults = new FaultRules(rules)
  const metered = new MeteringLayer(new FaultLayer(bare, faults, timers), meter)
  const store = new RetryLayer(new LimitsLayer(metered, { concurrency }), { timers, random: () => 0.5, ...options })
  return { store, bare, meter, faults, timers, requests: () => requestsOf(meter) }
}

function requestsOf(meter: Meter): Record<string, number> {
  return Object.fromEntries(Object.entries(meter.snapshot()).map(([operation, count]) => [operation, count.requests]))
}

describe('repetition', () => {
  it('repeats what can succeed, with growing waits', async () => {
    const { store, timers, requests } = stack([
      { operations: ['put'], nth: 1, fault: { kind: 'unavailable' } },
      { operations: ['put'], nth: 2, fault: { kind: 'throttled' } },
      { operations: ['put'], nth: 3, fault: { kind: 'corrupt' } },
    ])
    await timers.run(store.put('key', text('x')))
    expect(requests()).toStrictEqual({ put: 4 })
    expect(timers.nowMs()).toBe(0.5 * (50 + 100 + 200))
    expect(timers.pending).toBe(0)
  })

  it('waits as long as the store asks for', async () => {
    const { store, timers } = stack([
      { operations: ['list'], nth: 1, fault: { kind: 'throttled', retryAfterMs: 5000 } },
    ])
    await timers.run(store.list())
    expect(timers.nowMs()).toBe(5000)
  })

  it('does not wait longer than it may: the error comes at once', async () => {
    const { store, timers } = stack([{ fault: { kind: 'throttled', retryAfterMs: 61_000 } }])
    expect(await timers.run(kindOf(store.list()))).toBe('throttled')
    expect(timers.nowMs()).toBe(0)
  })

  it.each([
    'not-found',
    'precondition-failed',
    'denied',
    'invalid',
    'unsupported',
    'no-such-upload',
    'exists',
  ] as const)('passes %s on untouched', async kind => {
    const { store, timers, requests } = stack([{ operations: ['put'], fault: { kind } }])
    expect(await timers.run(kindOf(store.put('key', text('x'), { ifNoneMatch: '*' })))).toBe(kind)
    expect(requests()).toStrictEqual({ put: 1 })
  })

  it('ends after the last attempt with the last error', async () => {
    const { store, timers, requests } = stack([{ fault: { kind: 'unavailable', code: 'Gone' } }], { maxAttempts: 3 })
    await expect(timers.run(store.head('key'))).rejects.toMatchObject({ kind: 'unavailable', code: 'Gone' })
    expect(requests()).toStrictEqual({ head: 3 })
  })

  it('opens a body anew for every try', async () => {
    const { store, timers, bare } = stack([
      { operations: ['put'], nth: 1, fault: { kind: 'unavailable', when: 'after' } },
    ])
    let opened = 0
    const body: Body = {
      sizeBytes: 3,
      async *open() {
        opened++
        yield text('abc')
      },
    }
    await timers.run(store.put('key', body))
    expect(opened).toBe(2)
    expect((await contentOf(bare, 'key')).toString()).toBe('abc')
  })

  it('repeats only those keys of a deletion that failed for a passing reason', async () => {
    const { bare, timers } = stack([])
    const store = new RetryLayer(bare, { timers, random: () => 0.5 })
    for (const key of ['a', 'b', 'c']) await bare.put(key, text('x'))
    const asked: string[][] = []
    bare.delete = async entries => {
      asked.push(entries.map(entry => entry.key))
      const results = await MemoryStore.prototype.delete.call(bare, entries)
      const error = new StoreError('throttled', 'slow down', { key: 'a' })
      return results.map(result => (result.key === 'a' && asked.length < 3 ? { key: 'a', error } : result))
    }
    const results = await timers.run(store.delete([{ key: 'a' }, { key: 'b', ifMatch: MISSING_ETAG }, { key: 'c' }]))
    expect(results).toMatchObject([{ key: 'a' }, { key: 'b', error: { kind: 'precondition-failed' } }, { key: 'c' }])
    expect(results[0]).not.toHaveProperty('error')
    expect(asked).toStrictEqual([['a', 'b', 'c'], ['a'], ['a']])
  })
})

describe('time', () => {
  it('gives up a try that makes no progress, and repeats it', async () => {
    const { store, timers, bare, requests } = stack([
      { operations: ['head'], nth: 1, fault: { delayMs: Number.POSITIVE_INFINITY } },
    ])
    await bare.put('key', text('x'))
    expect(await timers.run(store.head('key'))).toMatchObject({ sizeBytes: 1 })
    expect(timers.nowMs()).toBe(30_025)
    expect(requests()).toStrictEqual({ head: 2 })
  })

  it('ends a call that makes no progress after the timeout', async () => {
    for (const operation of ['head', 'list', 'put', 'copy', 'get', 'delete'] as const) {
      const { store, timers, bare } = stack([{ operations: [operation], fault: { delayMs: Number.POSITIVE_INFINITY } }])
      await bare.put('key', text('x'))
      const calls: Record<typeof operation, () => Promise<unknown>> = {
        head: () => store.head('key'),
        list: () => store.list(),
        put: () => store.put('key', text('y')),
        copy: () => store.copy('key', 'other'),
        get: () => store.get('key'),
        delete: () => store.delete([{ key: 'key' }]),
      }
      const isWrite = ['put', 'copy', 'delete'].includes(operation)
      const error = { kind: 'unavailable', code: 'TimedOut', ambiguous: isWrite }
      await expect(timers.run(calls[operation]()), operation).rejects.toMatchObject(error)
      expect(timers.nowMs(), operation).toBeLessThanOrEqual(60_000)
      expect(timers.nowMs(), operation).toBeGreaterThan(59_000)
      expect(timers.pending).toBe(0)
    }
  })

  it('gives a server that copies or joins many bytes by itself more time', async () => {
    const gib = 1024 ** 3
    const never: FaultRule = { fault: { delayMs: Number.POSITIVE_INFINITY } }
    const rules: FaultRule[] = (['copy', 'copyPart', 'complete'] as const).map(operation => ({
      ...never,
      operations: [operation],
    }))
    const { store, timers, bare } = stack(rules)
    await bare.put('key', text('x'))
    const upload = await store.createUpload('key')
    const range = { offset: 0, lengthBytes: 2 * gib }
    const calls: (() => Promise<unknown>)[] = [
      () => store.copy('key', 'other', { sizeBytes: 2 * gib }),
      () => upload.copyPart(1, { key: 'key', range }),
      () => upload.complete([{ number: 1, etag: 'x', sizeBytes: 2 * gib }]),
    ]
    for (const call of calls) {
      const startMs = timers.nowMs()
      await expect(timers.run(call())).rejects.toMatchObject({ kind: 'unavailable', code: 'TimedOut' })
      // 60 s, and what 2 GiB take at 10 MiB/s.
      expect(timers.nowMs() - startMs).toBe(60_000 + 204_800)
    }
    expect(timers.pending).toBe(0)
  })

  it('does not count while a call waits for its turn', async () => {
    const { store, timers, bare, requests } = stack([{ fault: { delayMs: 25_000 } }], {}, 1)
    await bare.put('key', text('abcd'))
    const range = { offset: 0, lengthBytes: 4 }
    const plan = store.prepareRead('key', range).then(plan => plan.run(new PiecewiseSink(4, [4])))
    const body = store.get('key').then(({ body }) => collect(body))
    const calls = [store.head('key'), store.list(), store.put('other', text('x')), store.delete([{ key: 'no' }])]
    await timers.run(Promise.all([plan, body, ...calls, store.head('key')]))
    expect(timers.nowMs()).toBe(7 * 25_000)
    expect(requests()).toStrictEqual({ get: 2, head: 2, list: 1, put: 1, delete: 1 })
    expect(timers.pending).toBe(0)
  })

  it('asks for traits again', async () => {
    const { store, timers, bare, requests } = stack([
      { operations: ['traits'], nth: 1, fault: { kind: 'throttled' } },
      { operations: ['traits'], nth: 2, fault: { delayMs: Number.POSITIVE_INFINITY } },
    ])
    await bare.put('key', text('x'), { traits: { storageClass: 'COLD' } })
    expect(await timers.run(store.traits('key'))).toStrictEqual({ storageClass: 'COLD' })
    expect(requests()).toStrictEqual({ traits: 3 })
  })

  it('leaves a store that never ends, even when it is told to', async () => {
    const { bare, timers } = stack([])
    bare.head = () => new Promise(() => {})
    const store = new RetryLayer(bare, { timers, random: () => 0.5 })
    await expect(timers.run(store.head('key'))).rejects.toMatchObject({ code: 'TimedOut' })
    const controller = new AbortController()
    const call = kindOf(store.head('key', { signal: controller.signal }))
    controller.abort()
    expect(await call).toBe('aborted')
  })

  it('ends at once when the caller gives up, in a wait too', async () => {
    const { store, timers } = stack([{ fault: { kind: 'throttled', retryAfterMs: 50_000 } }])
    const controller = new AbortController()
    const call = kindOf(store.head('key', { signal: controller.signal }))
    await new Promise(resolve => setImmediate(resolve))
    controller.abort()
    expect(await call).toBe('aborted')
    expect(timers.pending).toBe(0)
  })
})

describe('reading', () => {
  const bytes = testBytes(100_000)

  it('goes on with a body where it broke off', async () => {
    const { store, timers, bare, meter } = stack([
      { operations: ['get'], nth: 1, fault: { cutBodyAfterBytes: 30_000 } },
      { operations: ['get'], nth: 2, fault: { kind: 'unavailable' } },
      { operations: ['get'], nth: 3, fault: { cutBodyAfterBytes: 0 } },
      { operations: ['get'], nth: 4, fault: { cutBodyAfterBytes: 1 } },
    ])
    await bare.put('key', bytes)
    const { info, body } = await store.get('key', { range: { offset: 10, lengthBytes: 90_000 } })
    expect(info.sizeBytes).toBe(100_000)
    expect((await timers.run(collect(body))).equals(bytes.subarray(10, 90_010))).toBe(true)
    expect(meter.snapshot().get).toMatchObject({ requests: 5, receivedBytes: 90_000, errors: { unavailable: 4 } })
    expect(timers.pending).toBe(0)
  })

  it('never joins two versions of an object', async () => {
    const { store, timers, bare } = stack([{ operations: ['get'], nth: 1, fault: { cutBodyAfterBytes: 30_000 } }])
    await bare.put('key', bytes)
    const { body } = await store.get('key')
    await bare.put('key', testBytes(100_000, 2))
    expect(await timers.run(kindOf(collect(body)))).toBe('precondition-failed')
  })

  it('goes on with a read plan where it broke off', async () => {
    const { store, timers, bare, requests } = stack([
      { operations: ['get'], nth: 1, fault: { cutBodyAfterBytes: 777 } },
      { operations: ['get'], nth: 2, fault: { kind: 'throttled' } },
    ])
    const { etag } = await bare.put('key', bytes)
    const plan = await store.prepareRead('key', { offset: 5, lengthBytes: 50_000 }, { ifMatch: etag })
    const sink = new PiecewiseSink(50_000, [1000, 33])
    expect(await timers.run(plan.run(sink))).toMatchObject({ etag })
    expect(sink.bytes().equals(bytes.subarray(5, 50_005))).toBe(true)
    expect(requests()).toStrictEqual({ get: 3 })
  })

  it('does not go on with a read plan that names no version', async () => {
    const { store, timers, bare, requests } = stack([
      { operations: ['get'], nth: 1, fault: { kind: 'unavailable' } },
      { operations: ['get'], nth: 2, fault: { cutBodyAfterBytes: 777 } },
    ])
    await bare.put('key', bytes)
    const plan = await store.prepareRead('key', { offset: 0, lengthBytes: 1000 })
    const error = { kind: 'unavailable', retryable: false }
    await expect(timers.run(plan.run(new PiecewiseSink(1000, [1000])))).rejects.toMatchObject(error)
    expect(requests()).toStrictEqual({ get: 2 })
  })

  it('holds no timer for a body that nobody reads', async () => {
    const { store, bare, timers } = stack([])
    await bare.put('key', bytes)
    const { body } = await store.get('key')
    expect(timers.pending).toBe(0)
    await body[Symbol.asyncIterator]().return?.()
    const controller = new AbortController()
    const other = await store.get('key', { signal: controller.signal })
    controller.abort()
    expect(await kindOf(collect(other.body))).toBe('aborted')
  })
})
