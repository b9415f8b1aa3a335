import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { type FaultRule, FaultRules } from '../../src/backend/layers/fault-rules.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import { MemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectInfo, ObjectStore } from '../../src/backend/object-store.js'
import { contentOf, kindOf, text } from '../support/store-tools.js'

const LOST = { kind: 'unavailable', when: 'after' } as const
/** The first try is not carried out, though that is not known. */
const UNSENT = { kind: 'unavailable', when: 'before' } as const

function over(inner: ObjectStore, rules: readonly FaultRule[]): RetryLayer {
  return new RetryLayer(new FaultLayer(inner, new FaultRules(rules)), { baseDelayMs: 0.01 })
}

function memory(): MemoryStore {
  return new MemoryStore('mem://x', undefined, { minPartBytes: 1 })
}

/** ETags that say nothing about the bytes, as with SSE-KMS. */
class OpaqueStore extends MemoryStore {
  override async head(key: string): Promise<ObjectInfo> {
    return { ...(await super.head(key)), etag: 'opaque' }
  }
}

describe('a put whose answer was lost', () => {
  const rules: readonly FaultRule[] = [{ operations: ['put'], nth: 1, fault: LOST }]

  it('is no conflict with itself', async () => {
    const bare = memory()
    const store = over(bare, rules)
    const metadata = { mode: '33188' }
    const created = await store.put('new', text('mine'), { ifNoneMatch: '*', metadata })
    expect(created.etag).toBe((await bare.head('new')).etag)
    const { etag } = await bare.put('old', text('old'))
    const replaced = await over(bare, rules).put('old', text('mine'), { ifMatch: etag })
    expect(replaced.etag).toBe((await bare.head('old')).etag)
  })

  it('is a conflict when another object is there', async () => {
    const bare = memory()
    await bare.put('key', text('theirs'))
    const store = over(bare, [{ operations: ['put'], nth: 1, fault: { ...UNSENT } }])
    bare.put = ambiguouslyFirst(bare.put.bind(bare))
    expect(await kindOf(store.put('key', text('mine!!'), { ifNoneMatch: '*' }))).toBe('precondition-failed')
    expect((await contentOf(bare, 'key')).toString()).toBe('theirs')
  })

  it('is of unknown outcome where the ETag or the metadata can not tell', async () => {
    const opaque = new OpaqueStore('mem://x')
    const unknown = { kind: 'precondition-failed', ambiguous: true, message: expect.stringContaining('unknown') }
    await expect(over(opaque, rules).put('key', text('x'), { ifNoneMatch: '*' })).rejects.toMatchObject(unknown)
    const bare = memory()
    await bare.put('lock', text(''), { metadata: { owner: 'they' } })
    bare.put = ambiguouslyFirst(bare.put.bind(bare))
    const store = new RetryLayer(bare, { baseDelayMs: 0.01 })
    const mine = store.put('lock', text(''), { ifNoneMatch: '*', metadata: { owner: 'I' } })
    await expect(mine).rejects.toMatchObject(unknown)
  })

  it('is no conflict for a later call that is told of it, unless another object is there', async () => {
    const bare = memory()
    await bare.put('key', text('mine'))
    const store = new RetryLayer(bare, { baseDelayMs: 0.01 })
    const again = { ifNoneMatch: '*', mayBeStored: true } as const
    expect((await store.put('key', text('mine'), again)).etag).toBe((await bare.head('key')).etag)
    expect(await kindOf(store.put('key', text('mine'), { ifNoneMatch: '*' }))).toBe('precondition-failed')
    expect(await kindOf(store.put('key', text('more'), again))).toBe('precondition-failed')
  })

  it('is told as ambiguous when no try succeeds', async () => {
    const store = over(memory(), [
      { operations: ['put'], nth: 1, fault: LOST },
      { operations: ['put'], fault: { kind: 'denied' } },
    ])
    await expect(store.put('key', text('x'))).rejects.toMatchObject({ kind: 'denied', ambiguous: true })
  })
})

describe('a completion whose answer was lost', () => {
  it('is found to have succeeded', async () => {
    for (const conditions of [{}, { ifNoneMatch: '*' } as const]) {
      const bare = memory()
      const store = over(bare, [{ operations: ['complete'], nth: 1, fault: LOST }])
      const upload = await store.createUpload('key')
      const parts = [await upload.part(2, text('two')), await upload.part(1, text('one'))]
      const { etag } = await upload.complete(parts, conditions)
      expect(etag).toBe((await bare.head('key')).etag)
      expect((await contentOf(bare, 'key')).toString()).toBe('onetwo')
    }
  })

  it('is lost when another object is there', async () => {
    const bare = memory()
    const store = over(bare, [{ operations: ['complete'], nth: 1, fault: LOST }])
    const upload = await store.createUpload('key')
    const part = await upload.part(1, text('mine'))
    const { put } = bare
    bare.head = async key => {
      await put.call(bare, key, text('they'))
      return MemoryStore.prototype.head.call(bare, key)
    }
    await expect(upload.complete([part])).rejects.toMatchObject({ kind: 'no-such-upload', ambiguous: true })
  })
})

describe('a copy whose answer was lost', () => {
  const rules: readonly FaultRule[] = [{ operations: ['copy'], nth: 1, fault: LOST }]

  it('is found to have succeeded', async () => {
    const bare = memory()
    await bare.put('from', text('x'), { metadata: { a: '1' } })
    await over(bare, rules).copy('from', 'to', { ifNoneMatch: '*' })
    await over(bare, rules).copy('from', 'with metadata', { ifNoneMatch: '*', metadata: { b: '2' } })
    expect(await bare.head('to')).toMatchObject({ metadata: { a: '1' } })
  })

  it('is a conflict when another object is there', async () => {
    const bare = memory()
    await bare.put('from', text('mine'))
    await bare.put('to', text('theirs'))
    bare.copy = ambiguouslyFirst(bare.copy.bind(bare))
    const store = new RetryLayer(bare, { baseDelayMs: 0.01 })
    expect(await kindOf(store.copy('from', 'to', { ifNoneMatch: '*' }))).toBe('precondition-failed')
  })
})

/** The first call is not carried out, but nobody can know. */
function ambiguouslyFirst<A extends readonly unknown[], R>(
  call: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  const lost = new FaultLayer(memory(), new FaultRules([{ nth: 1, fault: LOST }]))
  return async (...args) => {
    await lost.put('any', text(''))
    return call(...args)
  }
}
