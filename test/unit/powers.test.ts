import { expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { LimitsLayer } from '../../src/backend/layers/limits-layer.js'
import { Meter } from '../../src/backend/layers/meter.js'
import { MeteringLayer } from '../../src/backend/layers/metering-layer.js'
import { PrefixLayer } from '../../src/backend/layers/prefix-layer.js'
import { ReadOnlyLayer } from '../../src/backend/layers/read-only-layer.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import { openLocalStore } from '../../src/backend/local/local-store.js'
import { MemoryStore } from '../../src/backend/memory/memory-store.js'
import { requirePower } from '../../src/backend/powers.js'
import { bucketNameOf, openBuckets, openStore, parseStorageUrl } from '../../src/backend/registry.js'
import { temporaryFolder } from '../support/store-folders.js'
import { kindOf, text } from '../support/store-tools.js'

it('a store says in a line what it has not got', async () => {
  const store = new MemoryStore('mem://x')
  expect(() => requirePower(store, 'signing')).toThrow(
    expect.objectContaining({ kind: 'unsupported', message: 'mem://x has no signed URLs and forms' }),
  )
  expect(requirePower(store, 'acl')).toBeDefined()
})

it('a store in memory keeps ACLs, through writes and copies only when they are given', async () => {
  const store = new MemoryStore('mem://x')
  const acl = requirePower(store, 'acl')
  await store.put('a', text('x'), { acl: 'public-read' })
  const { etag } = await store.head('a')
  expect((await acl.get('a')).canned).toBe('public-read')
  await acl.set('a', 'private')
  expect((await acl.get('a')).canned).toBe('private')
  await acl.set('a', 'authenticated-read')
  expect((await store.head('a')).etag).toBe(etag)
  await store.copy('a', 'b')
  expect((await acl.get('b')).canned).toBe('private')
  await store.copy('a', 'c', { traits: await store.traits('a') })
  expect((await acl.get('c')).canned).toBe('authenticated-read')
  await acl.set(undefined, 'public-read')
  expect((await acl.get(undefined)).canned).toBe('public-read')
  expect(await kindOf(acl.set('a', 'bucket-owner-read'))).toBe('unsupported')
  expect(await kindOf(acl.get('missing'))).toBe('not-found')
})

it('the whole stack hands powers on: prefixed, repeated, limited and counted', async () => {
  const bare = new MemoryStore('mem://x')
  const meter = new Meter()
  const rules = new FaultRules(
    [{ fault: { kind: 'unavailable', when: 'after' }, operations: ['setAcl', 'setCdn'], probability: 0.5 }],
    alternating(),
  )
  const metered = new MeteringLayer(new FaultLayer(bare, rules), meter)
  const retried = new RetryLayer(new LimitsLayer(metered, { concurrency: 1 }), { baseDelayMs: 0.01 })
  const store = new PrefixLayer(retried, 'p/')
  await bare.put('p/a', text('x'))
  await requirePower(store, 'acl').set('a', 'public-read')
  expect((await requirePower(bare, 'acl').get('p/a')).canned).toBe('public-read')
  await requirePower(store, 'cdn').setBase('https://cdn.example.com/x/')
  expect(await requirePower(bare, 'cdn').base()).toBe('https://cdn.example.com/x')
  expect(await requirePower(store, 'cdn').url('ü b')).toBe('https://cdn.example.com/x/p/%C3%BC%20b')
  expect(meter.snapshot()).toMatchObject({ setAcl: { requests: 2 }, setCdn: { requests: 2 }, getCdn: { requests: 1 } })
})

/** Below a half and above it in turn. */
function alternating(): () => number {
  let count = 0
  return () => (count++ % 2 === 0 ? 0 : 0.9)
}

it('a read-only store changes nothing and permits nobody to', async () => {
  const folder = await temporaryFolder()
  try {
    const bare = await openLocalStore(folder.path, { publicUrl: 'https://example.com/files/' })
    await bare.put('a', text('x'))
    const store = new ReadOnlyLayer(new PrefixLayer(bare, ''))
    const signing = requirePower(store, 'signing')
    const read = await signing.signUrl('a', { method: 'GET', expiresMs: 1000 })
    expect(read.url).toMatch(/^https:\/\/example\.com\/files\/a\?X-Amz-Algorithm=/)
    for (const call of [
      signing.signUrl('a', { method: 'PUT', expiresMs: 1000 }),
      signing.signUrl('a', { method: 'DELETE', expiresMs: 1000 }),
      signing.signForm('a', { expiresMs: 1000 }),
      requirePower(store, 'acl').set('a', 'public-read'),
      requirePower(store, 'cdn').setBase('https://example.com'),
    ])
      expect(await kindOf(call)).toBe('denied')
    expect(await requirePower(store, 'publicAccess').isPublic('a')).toBe(false)
  } finally {
    await folder.remove()
  }
})

it('buckets in memory and in a folder are made, listed, and deleted when they are empty', async () => {
  const folder = await temporaryFolder()
  try {
    for (const url of ['mem://powers-bucket', `file://${folder.path}/powers-bucket`]) {
      const parsed = parseStorageUrl(url)
      const buckets = await openBuckets(parsed)
      const name = bucketNameOf(parsed)
      expect(await buckets.exists(name)).toBe(false)
      await buckets.create(name)
      expect(await kindOf(buckets.create(name))).toBe('exists')
      expect((await buckets.list()).map(bucket => bucket.name)).toContain(name)
      const store = await openStore(url)
      await store.put('a//b', text('x'))
      expect(await kindOf(buckets.delete(name))).toBe('precondition-failed')
      await store.delete([{ key: 'a//b' }])
      await buckets.delete(name)
      expect(await buckets.exists(name)).toBe(false)
      expect(await kindOf(buckets.delete(name))).toBe('not-found')
      await buckets.validateCredentials()
      expect(() => buckets.regions()).toThrow(expect.objectContaining({ kind: 'unsupported' }))
    }
    const { list, delete: remove } = await openBuckets(parseStorageUrl(`file://${folder.path}/x`)).then(admin => ({
      list: () => admin.list(),
      delete: (name: string) => admin.delete(name),
    }))
    expect(await list()).toStrictEqual([])
    expect(await kindOf(remove('../x'))).toBe('invalid')
  } finally {
    await folder.remove()
  }
})
