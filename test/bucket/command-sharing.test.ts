import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { openBareStore, parseStorageUrl } from '../../src/backend/registry.js'
import { BucketCommand, PROGRAM } from '../support/bucket-command.js'
import { curl, formArguments } from '../support/curl.js'
import { cephS3, ownS3 } from '../support/servers.js'
import { contentOf, text } from '../support/store-tools.js'

/** A bucket that others reach by URLs: the own S3 knows no signatures in URLs. */
interface Shared {
  readonly bucket: BucketCommand
  readonly store: ObjectStore
  dispose(): Promise<void>
}

async function onCeph(server: NonNullable<Awaited<ReturnType<typeof cephS3>>>): Promise<Shared> {
  const bucket = await BucketCommand.onServer(server)
  const store = await openBareStore(parseStorageUrl(bucket.url), { s3: server })
  return { bucket, store, dispose: () => Promise.all([store.close(), bucket.dispose()]).then(() => undefined) }
}

async function onServedFolder(): Promise<Shared> {
  const bucket = await BucketCommand.onFolder()
  const server = serve(bucket)
  await firstLine(server)
  const store = await openBareStore(parseStorageUrl(bucket.url))
  const dispose = async () => {
    server.kill('SIGTERM')
    expect(await server).toMatchObject({ exitCode: 0 })
    const { stderr } = await bucket.run(['public-url-folder'])
    expect(stderr).toContain('run "bucket serve"')
    await bucket.dispose()
  }
  return { bucket, store, dispose }
}

function serve(bucket: BucketCommand, ...words: readonly string[]) {
  return execa(process.execPath, [PROGRAM, 'serve', ...words], {
    reject: false,
    cwd: bucket.folder,
    extendEnv: false,
    env: { ...bucket.environment },
  })
}

/** What it says once it answers; nothing else comes at the same time. */
async function firstLine(server: ReturnType<typeof serve>): Promise<string> {
  const ended = server.then(({ stderr }) => Promise.reject(new Error(`bucket serve has ended: ${stderr}`)))
  const [chunk] = (await Promise.race([once(server.stdout, 'data'), ended])) as unknown[]
  return String(chunk).trim()
}

const ceph = await cephS3()
const places: readonly (readonly [string, () => Promise<Shared>])[] = [
  ['a folder that is served', onServedFolder],
  ...(ceph === undefined ? [] : [['Ceph RGW', () => onCeph(ceph)] as const]),
]

describe.each(places)('what others may see, on %s', (_, open) => {
  let shared: Shared
  let bucket: BucketCommand
  let store: ObjectStore
  let file: string
  beforeAll(async () => {
    shared = await open()
    ;({ bucket, store } = shared)
    file = join(bucket.folder, 'file.txt')
    await writeFile(file, 'from outside')
  })
  afterAll(() => shared.dispose())

  it('makes a link public, with headers, and private again', async () => {
    const key = 'a b/script.py'
    await store.put(key, text('print(1)'), { headers: { contentType: 'text/plain' }, metadata: { kept: 'yes' } })
    expect(await bucket.json('info', key)).toMatchObject({ public: false })
    const url = await bucket.output('make-public', '-d', 'content-type=text/x-python', '-d', 'Purpose=a=b', key)
    expect(url).toBe(`${await bucket.output('public-url-folder', 'a b')}script.py`)
    const reply = await curl(url)
    expect(reply).toMatchObject({ status: 200, body: 'print(1)' })
    expect(reply.headers).toMatchObject({
      'content-type': 'text/x-python',
      'x-amz-meta-purpose': 'a=b',
      'x-amz-meta-kept': 'yes',
    })
    expect(await bucket.json('info', key)).toMatchObject({
      public: true,
      url,
      metadata: { purpose: 'a=b', kept: 'yes' },
    })
    expect(await bucket.output('acl', 'get', key)).toBe('public-read')
    expect(await bucket.output('make-private', key)).toBe('')
    expect((await curl(url)).status).toBe(403)
    expect(await bucket.json('make-public', '--reset-headers', key)).toEqual({ key, url })
    expect((await curl(url)).headers).not.toHaveProperty('x-amz-meta-kept')
    await bucket.output('acl', 'set', 'private', key)
    expect((await curl(url)).status).toBe(403)
    expect(await bucket.run(['make-public', 'missing'])).toMatchObject({ exitCode: 3 })
    expect(await bucket.run(['make-private', 'missing'])).toMatchObject({ exitCode: 3 })
  })

  it('signs URLs for reading and writing', async () => {
    await store.put('private', text('secret'))
    const disposition = 'attachment; filename="x.txt"'
    const url = await bucket.output(
      'presign',
      'get',
      'private',
      '--expires',
      '2m',
      '--content-disposition',
      disposition,
    )
    const reply = await curl(url)
    expect(reply).toMatchObject({ status: 200, body: 'secret' })
    expect(reply.headers['content-disposition']).toBe(disposition)
    expect((await curl(url.replace(/[0-9a-f]$/, digit => (digit === '0' ? '1' : '0')))).status).toBe(403)
    const short = await bucket.output('presign', 'get', 'private', '--expires', '1s')
    await expect.poll(async () => (await curl(short)).status, { timeout: 20_000 }).toBe(403)
    const put = await bucket.run(['presign', 'put', 'in/file.txt', '--content-type', 'text/markdown'])
    expect(put).toMatchObject({ exitCode: 0, stderr: 'content-type: text/markdown' })
    expect((await curl('--upload-file', file, put.stdout)).status).toBe(403)
    expect((await curl('--header', put.stderr, '--upload-file', file, put.stdout)).status).toBe(200)
    expect((await contentOf(store, 'in/file.txt')).toString()).toBe('from outside')
    expect(await bucket.json('presign', 'get', 'private', '--method', 'HEAD')).toMatchObject({ method: 'HEAD' })
  })

  it('binds what a put would be stored with, and says it', async ({ skip }) => {
    if (bucket.server === undefined) skip('a folder has no such flags')
    const flags = ['--acl', 'public-read', '--storage-class', 'STANDARD']
    const { stdout: url, stderr } = await bucket.run(['presign', 'put', 'in/class', ...flags])
    expect(stderr.split('\n')).toEqual(['x-amz-acl: public-read', 'x-amz-storage-class: STANDARD'])
    expect((await curl('--upload-file', file, url)).status).toBe(403)
    const fields = stderr.split('\n').flatMap(line => ['--header', line])
    expect((await curl(...fields, '--upload-file', file, url)).status).toBe(200)
    expect(await bucket.json('info', 'in/class')).toMatchObject({ public: true })
    const form = (await bucket.json('form-post', 'in/form', ...flags)) as Parameters<typeof formArguments>[0]
    expect(form.fields).toMatchObject({ acl: 'public-read', 'x-amz-storage-class': 'STANDARD' })
    expect((await curl(...formArguments(form, file))).status).toBe(204)
    expect(await bucket.json('info', 'in/form')).toMatchObject({ public: true })
    await writeFile(join(bucket.folder, 'secret'), 'k'.repeat(32))
    for (const words of [
      ['presign', 'put', 'a'],
      ['presign', 'get', 'a'],
      ['form-post', 'a'],
    ]) {
      const refused = await bucket.run([...words, '--sse-c-key-file', 'secret'])
      expect(refused).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining('--sse-c-key-file') })
    }
  })

  it('prints forms, for programs and for browsers', async () => {
    const options = ['--expires', '2m', '--max-size', '12', '--content-type', 'text/markdown', '--meta', 'colour=red']
    const words = ['form-post', `up/$\{filename}`, ...options, '--status', '201']
    const form = (await bucket.json(...words)) as Parameters<typeof formArguments>[0]
    expect((await curl(...formArguments(form, file))).status).toBe(201)
    expect((await contentOf(store, 'up/file.txt')).toString()).toBe('from outside')
    expect(await store.head('up/file.txt')).toMatchObject({
      headers: { contentType: 'text/markdown' },
      metadata: { colour: 'red' },
    })
    const [url = '', ...lines] = (
      await bucket.output('form-post', 'up/lines', '--redirect', 'https://example.com/done')
    ).split('\n')
    const fields = lines.flatMap(line => ['--form-string', line])
    const led = await curl(...fields, '--form', `file=@${file}`, url)
    expect(led.status).toBe(303)
    expect(led.headers.location).toMatch(/^https:\/\/example\.com\/done\?/)
    const html = await bucket.output(...words, '--html')
    const inputs = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
    expect(Object.fromEntries(inputs.map(([, name, value]) => [name, value]))).toMatchObject({
      key: form.fields.key,
      'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    })
    expect(html).toContain(`<form action="${form.url}" method="post" enctype="multipart/form-data">`)
    await writeFile(join(bucket.folder, 'large'), 'x'.repeat(13))
    const refused = await curl(...formArguments(form, join(bucket.folder, 'large')))
    expect(refused).toMatchObject({ status: 400, body: expect.stringContaining('EntityTooLarge') })
    const altered = { ...form, fields: { ...form.fields, key: 'elsewhere' } }
    expect((await curl(...formArguments(altered, file))).status).toBe(403)
  })

  it("keeps the CDN's URL", async () => {
    expect(await bucket.run(['cdn', 'url', 'a'])).toMatchObject({ exitCode: 3 })
    await bucket.output('cdn', 'enable', 'https://cdn.example.com/files/')
    expect(await bucket.output('cdn', 'url', 'a b')).toBe('https://cdn.example.com/files/a%20b')
    expect(await bucket.output('cdn', 'url')).toBe('https://cdn.example.com/files/')
    await bucket.output('cdn', 'disable')
    expect(await bucket.run(['cdn', 'url'])).toMatchObject({ exitCode: 3 })
    expect(await bucket.run(['cdn', 'enable', 'ftp://x'])).toMatchObject({ exitCode: 2 })
  })

  it('makes, lists and deletes buckets', async () => {
    const name = `test-${crypto.randomUUID()}`
    expect(await bucket.run(['bucket-exists', name])).toMatchObject({ exitCode: 3, stdout: '', stderr: '' })
    await bucket.output('mb', name)
    expect(await bucket.run(['create-bucket', name])).toMatchObject({ exitCode: 1 })
    expect(await bucket.run(['bucket-exists', name])).toMatchObject({ exitCode: 0, stdout: '' })
    expect((await bucket.output('buckets')).split('\n')).toContain(name)
    expect(await bucket.json('buckets')).toContainEqual({ name, created: expect.any(String) })
    const url = bucket.url.replace(/[^/]+$/, name)
    const other = await openBareStore(parseStorageUrl(url), bucket.server && { s3: bucket.server })
    await other.put('a//b', text('x'))
    await other.createUpload('unfinished')
    expect(await bucket.run(['rb', url])).toMatchObject({
      exitCode: 1,
      stderr: 'bucket: the bucket is not empty: --force deletes all that is in it, too',
    })
    const asked = await bucket.run(['delete-bucket', name, '--force'])
    expect(asked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') })
    if (bucket.server !== undefined) {
      const part = await bucket.run(['rb', `${url}/a/`, '--force', '--yes'])
      expect(part).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('a bucket without a prefix') })
      expect(await other.head('a//b')).toMatchObject({ sizeBytes: 1 })
    }
    await bucket.output('delete-bucket', url, '--force', '--yes')
    expect(await bucket.run(['bucket-exists', url])).toMatchObject({ exitCode: 3 })
    expect(await bucket.run(['rb', name])).toMatchObject({ exitCode: 3 })
    await other.close()
    await bucket.output('validate-credentials')
    const { exitCode, stderr } = await bucket.run(['regions'])
    expect({ exitCode, lines: stderr.split('\n').length }).toEqual({ exitCode: 2, lines: 1 })
  })

  it.each([
    [['presign', 'post', 'a'], 'WHAT: expected get, put, head or delete, found "post"'],
    [
      ['presign', 'get', 'a', '--expires', 'soon'],
      '--expires: expected a time such as 90s, 15m, 2h or 7d, found "soon"',
    ],
    [
      ['presign', 'get', 'a', '--expires', '8d'],
      'a signature holds for 1 s to 7 days in whole seconds, not for 691200 s',
    ],
    [['form-post', 'a', '--max-size', 'x'], '--max-size: expected a size such as 500K or 10M, found "x"'],
    [['form-post', 'a', '--redirect', 'x'], '--redirect: expected an http:// or https:// URL, found "x"'],
    [['make-public', '-d', 'x', 'a'], '--header: expected NAME=VALUE, found "x"'],
    [['acl', 'set', 'public', 'a'], expect.stringContaining('ACL: expected private, public-read')],
    [['cdn', 'enable'], "WORD: expected the CDN's URL, found none"],
    [['serve', '--listen', 'x'], '--listen: expected HOST:PORT, found "x"'],
  ])('%j is refused in one line', async (words, line) => {
    const { exitCode, stdout, stderr } = await bucket.run(words)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr.split('\n')[0]?.replace(/^bucket: /, '')).toEqual(line)
  })
})

describe('a store that lacks a power', () => {
  it('says so in a line', async () => {
    const bucket = await BucketCommand.onServer(await ownS3())
    const inMemory = ['-b', 'mem://x']
    for (const [words, line] of [
      [['presign', 'get', 'a'], 'bucket: mem://x has no signed URLs and forms'],
      [['form-post', 'a'], 'bucket: mem://x has no signed URLs and forms'],
      [['make-public', 'a'], 'bucket: mem://x has no public URLs'],
      [['public-url-folder'], 'bucket: mem://x has no public URLs'],
      [['serve'], 'bucket: mem://x is no folder: only file:// can be served'],
    ] as const)
      expect(await bucket.run([...words, ...inMemory])).toMatchObject({ exitCode: 2, stdout: '', stderr: line })
    const wrong = { env: { AWS_SECRET_ACCESS_KEY: 'wrong' } }
    expect(await bucket.run(['validate-credentials'], wrong)).toMatchObject({ exitCode: 4 })
    await bucket.dispose()
  })

  it('serves a folder for others than this machine under the URL that it is given', async () => {
    const bucket = await BucketCommand.onFolder()
    const server = serve(bucket, '--public-url', 'https://files.example.com/x/')
    expect(await firstLine(server)).toBe(`serving ${bucket.url} at https://files.example.com/x`)
    expect(await bucket.output('presign', 'get', 'a')).toMatch(/^https:\/\/files\.example\.com\/x\/a\?X-Amz-/)
    server.kill('SIGINT')
    expect(await server).toMatchObject({ exitCode: 0, stderr: '' })
    await bucket.dispose()
  })
})
