import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { LimitsLayer } from '../../src/backend/layers/limits-layer.js'
import { Slots } from '../../src/backend/layers/slots.js'
import { MemoryStore } from '../../src/backend/memory/memory-store.js'
import type { CallOptions, ObjectInfo, Priority } from '../../src/backend/object-store.js'
import { Urging } from '../../src/backend/urge.js'
import { collect, kindOf, PiecewiseSink, testBytes } from '../support/store-tools.js'

/** HEADs of it wait until they are let go, one by one, in the order in which they arrived. */
class GatedStore extends MemoryStore {
  readonly arrived: string[] = []
  readonly #gates: (() => void)[] = []

  override async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    this.arrived.push(key)
    await new Promise<void>(resolve => this.#gates.push(resolve))
    return super.head(key, options)
  }

  letGo(): void {
    this.#gates.shift()?.()
  }
}

async function gated(concurrency: number) {
  const bare = new GatedStore('mem://x')
  await bare.put('key', testBytes(300_000))
  const store = new LimitsLayer(bare, { concurrency })
  const calls: Promise<string>[] = []
  const head = (key: string, priority?: Priority, signal?: AbortSignal) => {
    const call = kindOf(store.head(key, { priority, signal }))
    calls.push(call)
    return call
  }
  const finish = async () => {
    for (let left = calls.length + 1; left > 0; left--) {
      bare.letGo()
      await setImmediate()
    }
    return Promise.all(calls)
  }
  return { bare, store, head, finish }
}

describe('LimitsLayer', () => {
  it('lets no more through than it may', async () => {
    const { bare, head, finish } = await gated(3)
    for (const n of [1, 2, 3, 4, 5]) void head(`k${n}`)
    await setImmediate()
    expect(bare.arrived).toStrictEqual(['k1', 'k2', 'k3'])
    bare.letGo()
    await setImmediate()
    expect(bare.arrived).toStrictEqual(['k1', 'k2', 'k3', 'k4'])
    await finish()
    expect(bare.arrived).toHaveLength(5)
  })

  it('serves those who wait by priority, then in order', async () => {
    const { bare, head, finish } = await gated(2)
    void head('first')
    void head('second')
    void head('background', 'background')
    void head('ahead', 'read-ahead')
    void head('demand 1')
    void head('demand 2', 'demand')
    await finish()
    const order = ['first', 'second', 'demand 1', 'demand 2', 'ahead', 'background']
    expect(bare.arrived).toStrictEqual(order)
  })

  it('never gives the last slot to read-ahead or background', async () => {
    const { bare, head, finish } = await gated(3)
    for (const n of [1, 2, 3]) void head(`ahead ${n}`, 'read-ahead')
    void head('background', 'background')
    await setImmediate()
    expect(bare.arrived).toStrictEqual(['ahead 1', 'ahead 2'])
    void head('demand')
    await setImmediate()
    expect(bare.arrived).toStrictEqual(['ahead 1', 'ahead 2', 'demand'])
    await finish()
    expect(bare.arrived.slice(3)).toStrictEqual(['ahead 3', 'background'])
  })

  it('serves as demand what a program has come to wait for, also with the last slot', async () => {
    const slots = new Slots(3)
    const ahead = [
      await slots.acquire('read-ahead', undefined, 'get'),
      await slots.acquire('read-ahead', undefined, 'get'),
    ]
    const granted: string[] = []
    const wait = (name: string, urged?: Urging) =>
      void slots.acquire('read-ahead', undefined, 'get', urged).then(() => granted.push(name))
    const [first, second] = [new Urging(), new Urging()]
    wait('waits on')
    wait('first urged', first)
    wait('second urged', second)
    first.urge()
    await setImmediate()
    expect(granted).toStrictEqual(['first urged'])
    second.urge()
    await setImmediate()
    expect(granted).toStrictEqual(['first urged'])
    for (const release of ahead) release()
    await setImmediate()
    expect(granted).toStrictEqual(['first urged', 'second urged', 'waits on'])
  })

  it('works with a single slot', async () => {
    const { bare, head, finish } = await gated(1)
    void head('background', 'background')
    await setImmediate()
    void head('demand')
    await finish()
    expect(bare.arrived).toStrictEqual(['background', 'demand'])
  })

  it('lets who gives up leave at once, and others into the place', async () => {
    const { bare, head, finish } = await gated(2)
    void head('one')
    void head('two')
    const controller = new AbortController()
    const waiting = [head('three', 'demand', controller.signal), head('four', 'background', controller.signal)]
    void head('five', 'background')
    controller.abort()
    expect(await Promise.all(waiting)).toStrictEqual(['aborted', 'aborted'])
    await finish()
    expect(bare.arrived).toStrictEqual(['one', 'two', 'five'])
  })

  it('holds a slot until the body has ended', async () => {
    const { bare, store, head, finish } = await gated(1)
    const endings = {
      read: async (body: AsyncIterable<Uint8Array>) => void (await collect(body)),
      left: async (body: AsyncIterable<Uint8Array>) => {
        for await (const _ of body) break
      },
      unread: async (body: AsyncIterable<Uint8Array>) => void (await body[Symbol.asyncIterator]().return?.()),
    }
    for (const [name, end] of Object.entries(endings)) {
      const { body } = await store.get('key')
      void head(name)
      await setImmediate()
      expect(bare.arrived).not.toContain(name)
      await end(body)
      await setImmediate()
      expect(bare.arrived).toContain(name)
      await finish()
    }
    const controller = new AbortController()
    await store.get('key', { signal: controller.signal })
    void head('aborted')
    controller.abort()
    await setImmediate()
    expect(bare.arrived).toContain('aborted')
    await finish()
  })

  it('takes a slot for the question for traits', async () => {
    const { bare, store, head, finish } = await gated(1)
    void head('key')
    let isTold = false
    const traits = store.traits('key').then(() => {
      isTold = true
    })
    await setImmediate()
    expect(isTold).toBe(false)
    bare.letGo()
    await traits
    await finish()
  })

  it('takes the slot of a read plan when it runs', async () => {
    const { bare, store, head, finish } = await gated(1)
    const plan = await store.prepareRead('key', { offset: 0, lengthBytes: 10 })
    void head('key')
    const run = kindOf(plan.run(new PiecewiseSink(10, [3])))
    await setImmediate()
    expect(bare.arrived).toStrictEqual(['key'])
    await finish()
    expect(await run).toBe('resolved')
  })

  it('gives the slot back when a call fails', async () => {
    const { store } = await gated(1)
    for (let n = 0; n < 3; n++) expect(await kindOf(store.get('missing'))).toBe('not-found')
    const upload = await store.createUpload('key')
    expect(await kindOf(upload.complete([]))).toBe('invalid')
    expect(await kindOf(upload.part(1, testBytes(10)))).toBe('resolved')
  })
})
