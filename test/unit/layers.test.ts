import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { Meter } from '../../src/backend/layers/meter.js'
import { MeteringLayer } from '../../src/backend/layers/metering-layer.js'
import { PrefixLayer } from '../../src/backend/layers/prefix-layer.js'
import { ReadOnlyLayer } from '../../src/backend/layers/read-only-layer.js'
import { MemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { openStore } from '../../src/backend/registry.js'
import { collect, contentOf, kindOf, PiecewiseSink, seededRandom, testBytes, text } from '../support/store-tools.js'

function memory(): MemoryStore {
  return new MemoryStore('mem://x', undefined, { minPartBytes: 1 })
}

describe('PrefixLayer', () => {
  it('shows the keys below the prefix and touches no other', async () => {
    const bare = memory()
    const store = new PrefixLayer(bare, 'p/')
    await bare.put('outside', text('x'))
    await bare.put('p/a/b', text('x'))
    await bare.put('p', text('x'))
    await store.put('c', text('y'))
    expect(await store.list({ delimiter: '/' })).toMatchObject({ objects: [{ key: 'c' }], prefixes: ['a/'] })
    expect(await store.list({ startAfter: 'a/b' })).toMatchObject({ objects: [{ key: 'c' }] })
    await store.delete([{ key: 'outside' }, { key: 'a/b' }])
    expect((await bare.list()).objects.map(object => object.key)).toStrictEqual(['outside', 'p', 'p/c'])
    expect(store.url).toBe('mem://x/p/')
    expect(await kindOf(store.put('', text('x')))).toBe('invalid')
    expect((await store.delete([{ key: '../x' }]))[0]).toStrictEqual({ key: '../x' })
  })

  it('is what a storage URL with a path opens', async () => {
    const store = await openStore('mem://registry/some/where')
    await store.put('key', text('x'))
    const whole = await openStore('mem://registry')
    expect((await contentOf(whole, 'some/where/key')).toString()).toBe('x')
  })
})

describe('ReadOnlyLayer', () => {
  it('reads everything and writes nothing', async () => {
    const bare = memory()
    await bare.put('key', text('x'))
    const begun = await bare.createUpload('key')
    const store: ObjectStore = new ReadOnlyLayer(bare)
    expect((await contentOf(store, 'key')).toString()).toBe('x')
    expect((await store.list()).objects).toHaveLength(1)
    expect(await store.listUploads()).toHaveLength(1)
    expect(await store.traits('key')).toStrictEqual({})
    const upload = store.resumeUpload('key', begun.uploadId)
    const writes = [
      store.put('key', text('y')),
      store.copy('key', 'other'),
      store.delete([{ key: 'key' }]),
      store.createUpload('key'),
      upload.part(1, text('y')),
      upload.copyPart(1, { key: 'key', range: { offset: 0, lengthBytes: 1 } }),
      upload.complete([]),
      upload.abort(),
    ]
    for (const write of writes)
      await expect(write).rejects.toMatchObject({ kind: 'denied', message: expect.stringContaining('read-only') })
    expect((await bare.list()).objects).toHaveLength(1)
    expect(await bare.listUploads()).toHaveLength(1)
  })
})

describe('MeteringLayer', () => {
  it('counts requests, bytes and errors by operation', async () => {
    const meter = new Meter()
    const store = new MeteringLayer(memory(), meter)
    expect(meter.snapshot()).toStrictEqual({})
    await store.put('key', testBytes(300_000))
    await collect((await store.get('key', { range: { offset: 0, lengthBytes: 1000 } })).body)
    for await (const _ of (await store.get('key')).body) break
    const plan = await store.prepareRead('key', { offset: 0, lengthBytes: 20_000 })
    await plan.run(new PiecewiseSink(20_000, [333]))
    expect(await kindOf(store.get('missing'))).toBe('not-found')
    const upload = await store.createUpload('key')
    await upload.part(1, testBytes(500))
    await upload.abort()
    await store.traits('key')
    await store.delete([{ key: 'key', ifMatch: 'other' }, { key: 'missing' }])
    const none = { receivedBytes: 0, sentBytes: 0, errors: {} }
    expect(meter.snapshot()).toStrictEqual({
      put: { ...none, requests: 1, sentBytes: 300_000 },
      get: { ...none, requests: 4, receivedBytes: 1000 + 262_144 + 20_000, errors: { 'not-found': 1 } },
      createUpload: { ...none, requests: 1 },
      part: { ...none, requests: 1, sentBytes: 500 },
      abort: { ...none, requests: 1 },
      traits: { ...none, requests: 1 },
      delete: { ...none, requests: 1, errors: { 'precondition-failed': 1 } },
    })
  })
})

describe('FaultLayer', () => {
  it('meets the calls that its rules name', async () => {
    const bare = memory()
    const rules = new FaultRules([
      { operations: ['put'], key: /^bad/, nth: 2, fault: { kind: 'denied' } },
      { operations: ['put'], key: /lost/, fault: { kind: 'unavailable', when: 'after' } },
    ])
    const store = new FaultLayer(bare, rules)
    const kinds = []
    for (const key of ['bad 1', 'good', 'bad 2', 'bad 3']) kinds.push(await kindOf(store.put(key, text('x'))))
    expect(kinds).toStrictEqual(['resolved', 'resolved', 'denied', 'resolved'])
    await expect(store.put('lost', text('x'))).rejects.toMatchObject({ kind: 'unavailable', ambiguous: true })
    expect((await bare.list()).objects.map(object => object.key)).toStrictEqual(['bad 1', 'bad 3', 'good', 'lost'])
    rules.clear()
    rules.add({ operations: ['list'], fault: { kind: 'throttled', retryAfterMs: 7 } })
    await expect(store.list()).rejects.toMatchObject({ kind: 'throttled', retryAfterMs: 7, ambiguous: false })
  })

  it('cuts bodies and read plans', async () => {
    const bare = memory()
    const bytes = testBytes(1000)
    await bare.put('key', bytes)
    const store = new FaultLayer(bare, new FaultRules([{ fault: { kind: 'corrupt', cutBodyAfterBytes: 300 } }]))
    const seen: Uint8Array[] = []
    const read = async () => {
      for await (const chunk of (await store.get('key')).body) seen.push(chunk)
    }
    expect(await kindOf(read())).toBe('corrupt')
    expect(Buffer.concat(seen).equals(bytes.subarray(0, 300))).toBe(true)
    const sink = new PiecewiseSink(1000, [77])
    const plan = await store.prepareRead('key', { offset: 100, lengthBytes: 900 })
    expect(await kindOf(plan.run(sink))).toBe('corrupt')
    expect(sink.sizeBytes).toBe(300)
  })

  it('draws by the randomness that it is given', async () => {
    const run = async (seed: number) => {
      const rules = new FaultRules([{ probability: 0.5, fault: { kind: 'unavailable' } }], seededRandom(seed))
      const store = new FaultLayer(memory(), rules)
      const kinds: string[] = []
      for (let n = 0; n < 50; n++) kinds.push(await kindOf(store.list()))
      return kinds
    }
    expect(await run(1)).toStrictEqual(await run(1))
    expect(await run(1)).not.toStrictEqual(await run(2))
    expect(new Set(await run(1))).toStrictEqual(new Set(['resolved', 'unavailable']))
  })
})
