import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { PrefixLayer } from '../../src/backend/layers/prefix-layer.js'
import { ReadOnlyLayer } from '../../src/backend/layers/read-only-layer.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { requirePower } from '../../src/backend/powers.js'
import { openBuckets, parseStorageUrl } from '../../src/backend/registry.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { curl, formArguments } from '../support/curl.js'
import { cephS3, createBucket, freshBucketName } from '../support/servers.js'
import { contentOf, kindOf, text } from '../support/store-tools.js'

const server = await cephS3()

describe.skipIf(server === undefined)('the optional powers on Ceph RGW', () => {
  let bare: ObjectStore
  let store: ObjectStore
  let folder: string
  let file: string
  let bucket: string

  beforeAll(async () => {
    if (server === undefined) return undefined
    bucket = await createBucket(server)
    bare = await openS3Store(bucket, server)
    store = new PrefixLayer(new RetryLayer(bare), 'of the user/')
    folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
    file = join(folder, 'file.txt')
    await writeFile(file, 'from outside')
    return async () => {
      await bare.close()
      await rm(folder, { recursive: true })
    }
  })

  it('makes a link public, and private again', async () => {
    await store.put("ü b'c.txt", text('hello'), { headers: { contentType: 'text/x-python' }, metadata: { a: '1' } })
    const access = requirePower(store, 'publicAccess')
    const url = await access.url("ü b'c.txt")
    expect(url).toBe(`${server?.endpoint}/${bucket}/of%20the%20user/%C3%BC%20b%27c.txt`)
    expect(await access.isPublic("ü b'c.txt")).toBe(false)
    expect((await curl(url)).status).toBe(403)
    const acl = requirePower(store, 'acl')
    await acl.set("ü b'c.txt", 'public-read')
    expect((await acl.get("ü b'c.txt")).canned).toBe('public-read')
    expect(await access.isPublic("ü b'c.txt")).toBe(true)
    const reply = await curl(url)
    expect(reply).toMatchObject({ status: 200, body: 'hello' })
    expect(reply.headers).toMatchObject({ 'content-type': 'text/x-python', 'x-amz-meta-a': '1' })
    await acl.set("ü b'c.txt", 'private')
    expect((await curl(url)).status).toBe(403)
    expect((await acl.get("ü b'c.txt")).canned).toBe('private')
    expect(await kindOf(acl.get('missing'))).toBe('not-found')
  })

  it('takes an ACL with a write and with a copy onto itself', async () => {
    await store.put('public', text('hello'), { acl: 'public-read' })
    const url = await requirePower(store, 'publicAccess').url('public')
    expect((await curl(url)).status).toBe(200)
    await store.copy('public', 'public', { headers: { contentType: 'text/css' }, metadata: {}, acl: 'public-read' })
    expect((await curl(url)).headers['content-type']).toBe('text/css')
    await store.copy('public', 'public', { headers: { contentType: 'text/css' }, metadata: {} })
    expect((await curl(url)).status).toBe(403)
  })

  it('has ACLs of the bucket', async () => {
    const acl = requirePower(store, 'acl')
    expect((await acl.get(undefined)).canned).toBe('private')
    await acl.set(undefined, 'public-read')
    expect((await acl.get(undefined)).canned).toBe('public-read')
    expect((await curl(`${server?.endpoint}/${bucket}/`)).status).toBe(200)
    await acl.set(undefined, 'private')
    expect((await curl(`${server?.endpoint}/${bucket}/`)).status).toBe(403)
  })

  it('signs URLs for reading', async () => {
    await store.put('private', text('secret'))
    const signing = requirePower(store, 'signing')
    const options = { method: 'GET', expiresMs: 60_000, contentDisposition: 'attachment; filename="a b.txt"' } as const
    const { url } = await signing.signUrl('private', options)
    const reply = await curl(url)
    expect(reply).toMatchObject({ status: 200, body: 'secret' })
    expect(reply.headers['content-disposition']).toBe('attachment; filename="a b.txt"')
    expect((await curl(url.replace(/(Signature=..)./, (_, start: string) => `${start}x`))).status).toBe(403)
    expect((await curl(url.replace('private', 'public'))).status).toBe(403)
    const { url: short } = await signing.signUrl('private', { method: 'GET', expiresMs: 1000 })
    await expect.poll(async () => (await curl(short)).status, { timeout: 20_000 }).toBe(403)
  })

  it('signs URLs for writing', async () => {
    const signing = requirePower(store, 'signing')
    const { url, headers } = await signing.signUrl('put', {
      method: 'PUT',
      expiresMs: 60_000,
      contentType: 'text/x-python',
    })
    expect((await curl('--upload-file', file, url)).status).toBe(403)
    const sent = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`])
    expect((await curl(...sent, '--upload-file', file, url)).status).toBe(200)
    expect((await contentOf(store, 'put')).toString()).toBe('from outside')
    expect((await store.head('put')).headers.contentType).toBe('text/x-python')
  })

  it('signs forms', async () => {
    const signing = requirePower(store, 'signing')
    const form = await signing.signForm(`up/$\{filename}`, {
      expiresMs: 60_000,
      maxSizeBytes: 12,
      headers: { contentType: 'text/markdown' },
      metadata: { colour: 'red' },
      status: 201,
    })
    const reply = await curl(...formArguments(form, file))
    expect(reply.status, reply.body).toBe(201)
    expect((await contentOf(store, 'up/file.txt')).toString()).toBe('from outside')
    const info = await store.head('up/file.txt')
    expect(info).toMatchObject({ headers: { contentType: 'text/markdown' }, metadata: { colour: 'red' } })
    const small = await signing.signForm('up/no', { expiresMs: 60_000, maxSizeBytes: 3 })
    expect((await curl(...formArguments(small, file))).status).toBe(400)
    const other = { ...form, fields: { ...form.fields, key: 'elsewhere' } }
    expect((await curl(...formArguments(other, file))).status).toBe(403)
    expect(await kindOf(store.head('up/no'))).toBe('not-found')
  })

  it("keeps the CDN's URL with the bucket, beside its other tags", async () => {
    const cdn = requirePower(store, 'cdn')
    expect(await cdn.url('a')).toBeUndefined()
    await cdn.setBase('https://cdn.example.com/b/')
    const again = await openS3Store(bucket, server)
    expect(await requirePower(again, 'cdn').url('a b')).toBe('https://cdn.example.com/b/a%20b')
    await again.close()
    expect(await cdn.url('a b')).toBe('https://cdn.example.com/b/of%20the%20user/a%20b')
    await cdn.setBase(undefined)
    expect(await cdn.base()).toBeUndefined()
    expect(await kindOf(cdn.setBase('ftp://x'))).toBe('invalid')
  })

  it('removes for good what is below a prefix, and nothing where it may only read', async () => {
    await Promise.all(
      ['of the user/gone/a', 'of the user/gone/b', 'of the user/stays'].map(key => bare.put(key, text('x'))),
    )
    const readOnly = requirePower(new ReadOnlyLayer(store), 'versions')
    expect(await kindOf(readOnly.removeSome('gone/'))).toBe('denied')
    const versions = requirePower(store, 'versions')
    expect([await versions.removeSome('gone/'), await versions.removeSome('gone/')]).toStrictEqual([2, 0])
    expect((await bare.list({ prefix: 'of the user/gone/' })).objects).toStrictEqual([])
    expect((await contentOf(store, 'stays')).toString()).toBe('x')
  })

  it('tells no parts, since this server knows none', async () => {
    const upload = await store.createUpload('parts')
    const { etag } = await upload.complete([await upload.part(1, text('x'))])
    expect(await requirePower(store, 'parts').part('parts', etag, 1)).toBeUndefined()
  })

  it('signs nothing without credentials', async () => {
    if (server === undefined) throw new Error('skipped')
    const anonymous = await openS3Store(bucket, { endpoint: server.endpoint, anonymous: true })
    expect(await kindOf(requirePower(anonymous, 'signing').signForm('a', { expiresMs: 1000 }))).toBe('denied')
    await anonymous.close()
  })

  it('makes, lists and deletes buckets, and knows credentials', async () => {
    if (server === undefined) throw new Error('skipped')
    const name = freshBucketName()
    const url = parseStorageUrl(`s3://${name}`)
    const buckets = await openBuckets(url, { s3: server })
    expect(await buckets.exists(name)).toBe(false)
    await buckets.create(name, { acl: 'public-read' })
    expect(await kindOf(buckets.create(name))).toBe('exists')
    expect(await buckets.exists(name)).toBe(true)
    expect(await buckets.list()).toContainEqual({ name, createdMs: expect.any(Number) })
    const inside = await openS3Store(name, server)
    await inside.put('a', text('x'))
    expect(await kindOf(buckets.delete(name))).toBe('precondition-failed')
    await inside.delete([{ key: 'a' }])
    await inside.close()
    await buckets.delete(name)
    expect(await kindOf(buckets.delete(name))).toBe('not-found')
    await buckets.validateCredentials()
    for (const credentials of [
      { accessKeyId: 'test', secretAccessKey: 'wrong' },
      { accessKeyId: 'nobody', secretAccessKey: 'wrong' },
    ]) {
      const wrong = await openBuckets(url, { s3: { ...server, credentials } })
      expect(await kindOf(wrong.validateCredentials())).toBe('denied')
      await wrong.close()
    }
    await buckets.close()
  })
})
