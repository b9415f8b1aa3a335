import { createHash } from 'node:crypto'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type LocalStore, openLocalStore } from '../../src/backend/local/local-store.js'
import { type ServedFolder, serveFolder } from '../../src/backend/local/served/serve-folder.js'
import { requirePower } from '../../src/backend/powers.js'
import { curl, formArguments } from '../support/curl.js'
import { temporaryFolder } from '../support/store-folders.js'
import { contentOf, kindOf, testBytes, text } from '../support/store-tools.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let store: LocalStore
let served: ServedFolder
let file: string
/** What both the signing store and the server believe the time to be. */
let nowMs = Date.now()

beforeAll(async () => {
  folder = await temporaryFolder()
  const root = join(folder.path, 'store')
  store = await openLocalStore(root, { create: true, nowMs: () => nowMs })
  served = await serveFolder(root, { nowMs: () => nowMs })
  file = join(folder.path, 'file.txt')
  await writeFile(file, 'from a form')
  return async () => {
    await served.close()
    await folder.remove()
  }
})

const signing = () => requirePower(store, 'signing')

/** The same with one letter of it changed. */
function altered(url: string, of: RegExp): string {
  return url.replace(of, found => found.slice(0, -1) + (found.endsWith('0') ? '1' : '0'))
}

describe('public objects', () => {
  it('are there for everybody, as they are kept, until they are private again', async () => {
    const key = "dir/ü b+c&d'e.txt"
    await store.put(key, text('hello world'), {
      headers: { contentType: 'text/plain', contentDisposition: 'inline', cacheControl: 'max-age=5' },
      metadata: { note: 'grün' },
    })
    const url = await requirePower(store, 'publicAccess').url(key)
    expect(url).toBe(`${served.url}/dir/%C3%BC%20b%2Bc%26d%27e.txt`)
    expect(await curl(url)).toMatchObject({ status: 403, body: expect.stringContaining('AccessDenied') })
    const { etag } = await store.head(key)
    await requirePower(store, 'acl').set(key, 'public-read')
    expect((await store.head(key)).etag).toBe(etag)
    const reply = await curl(url)
    expect(reply).toMatchObject({ status: 200, body: 'hello world' })
    expect(reply.headers).toMatchObject({
      'content-type': 'text/plain',
      'content-disposition': 'inline',
      'cache-control': 'max-age=5',
      'x-amz-meta-note': '=?UTF-8?B?Z3LDvG4=?=',
      etag: `"${etag}"`,
    })
    expect(await curl('--head', url)).toMatchObject({ status: 200, body: '' })
    await requirePower(store, 'acl').set(key, 'private')
    expect((await curl(url)).status).toBe(403)
    expect((await curl(`${served.url}/missing`)).status).toBe(403)
  })

  it('come in part, and under conditions', async () => {
    const bytes = testBytes(300_000)
    await store.put('ranges', bytes, { acl: 'public-read', metadata: { a: '1' } })
    const url = `${served.url}/ranges`
    const { etag, lastModifiedMs } = await store.head('ranges')
    const fetched = async (range: string) => {
      const reply = await fetch(url, { headers: { range } })
      const body = Buffer.from(await reply.arrayBuffer())
      return { status: reply.status, range: reply.headers.get('content-range'), body }
    }
    const part = { status: 206, range: 'bytes 10-99/300000', body: Buffer.from(bytes.subarray(10, 100)) }
    expect(await fetched('bytes=10-99')).toStrictEqual(part)
    expect((await fetched('bytes=299990-')).body).toStrictEqual(Buffer.from(bytes.subarray(299_990)))
    expect((await fetched('bytes=-5')).body).toStrictEqual(Buffer.from(bytes.subarray(-5)))
    expect((await fetched('bytes=5-1')).status).toBe(200)
    const behind = await curl('--range', '300000-', url)
    expect(behind).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */300000' } })
    expect((await curl('--header', `If-None-Match: "${etag}"`, url)).status).toBe(304)
    const date = new Date(lastModifiedMs).toUTCString()
    expect((await curl('--header', `If-Modified-Since: ${date}`, url)).status).toBe(304)
    expect((await curl('--header', 'If-Match: "other"', url)).status).toBe(412)
    const stale = await fetch(url, { headers: { range: 'bytes=0-9', 'if-range': '"other"' } })
    expect((await stale.arrayBuffer()).byteLength).toBe(300_000)
  })

  it('are no longer so when another program puts other bytes there, or they are written anew', async () => {
    await store.put('page', text('x'), { acl: 'public-read' })
    expect(await requirePower(store, 'publicAccess').isPublic('page')).toBe(true)
    expect(await store.traits('page')).toMatchObject({ grants: { read: [expect.stringContaining('AllUsers')] } })
    await store.put('page', text('y'))
    expect((await curl(`${served.url}/page`)).status).toBe(403)
    await store.put('page', text('z'), { traits: { grants: (await store.traits('page')).grants } })
    await store.put('page', text('z'), { acl: 'public-read' })
    await writeFile(join(folder.path, 'store', 'page'), 'something else')
    expect((await curl(`${served.url}/page`)).status).toBe(403)
    expect(await kindOf(store.put('page', text('x'), { acl: 'authenticated-read' }))).toBe('unsupported')
  })
})

describe.each([true, false])('what is public, with extended attributes: %s', useXattrs => {
  it('is kept by uploads in parts, by copies that say so, and nowhere else', async () => {
    const own = await temporaryFolder()
    const other = await openLocalStore(own.path, { useXattrs })
    const access = requirePower(other, 'publicAccess')
    const upload = await other.createUpload('parts', { acl: 'public-read' })
    await upload.complete([await upload.part(1, text('x'))])
    expect(await access.isPublic('parts')).toBe(true)
    await other.copy('parts', 'copy')
    expect(await access.isPublic('copy')).toBe(false)
    await other.copy('parts', 'copy', { acl: 'public-read' })
    expect(await access.isPublic('copy')).toBe(true)
    await other.copy('parts', 'parts', { metadata: { a: '1' }, traits: await other.traits('parts') })
    expect(await access.isPublic('parts')).toBe(true)
    await requirePower(other, 'acl').set('parts', 'private')
    expect(await other.traits('parts')).toStrictEqual({})
    expect((await other.head('parts')).metadata).toStrictEqual({ a: '1' })
    await writeFile(join(own.path, 'foreign'), 'x')
    const { etag } = await other.head('foreign')
    await requirePower(other, 'acl').set('foreign', 'public-read')
    expect(await access.isPublic('foreign')).toBe(true)
    expect((await other.head('foreign')).etag).toBe(etag)
    await own.remove()
  })
})

describe('signed URLs', () => {
  it('permit to read, with the disposition that was signed', async () => {
    await store.put('private', text('secret'))
    const named = (contentDisposition: string) =>
      signing().signUrl('private', { method: 'GET', expiresMs: 60_000, contentDisposition })
    expect(await kindOf(named('attachment; filename="ö.txt"'))).toBe('invalid')
    expect(await kindOf(named('x\r\nset-cookie: a=b'))).toBe('invalid')
    const { url } = await named("attachment; filename*=UTF-8''%C3%B6.txt")
    const plain = await signing().signUrl('private', {
      method: 'GET',
      expiresMs: 60_000,
      contentDisposition: 'attachment; filename="a.txt"',
    })
    const reply = await curl(url)
    expect(reply.body).toBe('secret')
    expect(reply.headers['content-disposition']).toBe("attachment; filename*=UTF-8''%C3%B6.txt")
    expect((await curl(plain.url)).headers['content-disposition']).toBe('attachment; filename="a.txt"')
    expect(await curl('--head', plain.url)).toMatchObject({ status: 403 })
    expect((await curl('--upload-file', file, plain.url)).status).toBe(403)
    for (const part of [/signature=\w+/i, /Expires=\d+/i, /private\b/, /filename%3D%22a/, /Date=\d+/])
      expect((await curl(altered(plain.url, part))).status, String(part)).toBe(403)
    expect((await curl(`${plain.url}&response-content-type=text/html`)).status).toBe(403)
    expect((await curl(plain.url.replace(/&X-Amz-Signature.*/, ''))).status).toBe(403)
  })

  it('permit to write, with the type that was signed', async () => {
    const { url, headers } = await signing().signUrl('put/here', {
      method: 'PUT',
      expiresMs: 60_000,
      contentType: 'text/x-python',
    })
    expect(headers).toStrictEqual({ 'content-type': 'text/x-python' })
    expect((await curl('--upload-file', file, url)).status).toBe(403)
    const typed = ['--header', 'Content-Type: text/x-python', '--upload-file', file, url]
    expect((await curl('--header', 'x-amz-meta-note: 1', ...typed)).status).toBe(403)
    expect(await kindOf(store.head('put/here'))).toBe('not-found')
    expect((await curl('--header', 'Cache-Control: no-store', ...typed)).status).toBe(200)
    expect((await contentOf(store, 'put/here')).toString()).toBe('from a form')
    expect((await store.head('put/here')).headers).toStrictEqual({
      contentType: 'text/x-python',
      cacheControl: 'no-store',
    })
    expect((await curl('--header', 'If-None-Match: *', ...typed)).status).toBe(412)
    expect((await curl('--header', 'Transfer-Encoding: chunked', ...typed)).status).toBe(411)
  })

  it('permit to remove', async () => {
    await store.put('gone', text('x'))
    const { url } = await signing().signUrl('gone', { method: 'DELETE', expiresMs: 60_000 })
    expect((await curl('--request', 'DELETE', url)).status).toBe(204)
    expect(await kindOf(store.head('gone'))).toBe('not-found')
  })

  it('expire', async () => {
    await store.put('short', text('x'))
    const { url, expiresAtMs } = await signing().signUrl('short', { method: 'GET', expiresMs: 5000 })
    expect(expiresAtMs).toBe(nowMs + 5000)
    expect((await curl(url)).status).toBe(200)
    nowMs += 5000
    expect(await curl(url)).toMatchObject({ status: 403, body: expect.stringContaining('expired') })
  })

  it('are signed with a secret that only its owner can read', async () => {
    const secret = join(folder.path, 'store', '.mount-bucket', 'secret')
    expect((await stat(secret)).mode & 0o777).toBe(0o600)
  })
})

describe('forms', () => {
  it('upload a file with the printed fields', async () => {
    const form = await signing().signForm('up/form.txt', {
      expiresMs: 60_000,
      maxSizeBytes: 11,
      headers: { contentType: 'text/markdown' },
      metadata: { Colour: 'rot' },
      acl: 'public-read',
      status: 201,
    })
    const reply = await curl(...formArguments(form, file))
    expect(reply).toMatchObject({ status: 201, body: expect.stringContaining('<Key>up/form.txt</Key>') })
    expect((await contentOf(store, 'up/form.txt')).toString()).toBe('from a form')
    const info = await store.head('up/form.txt')
    expect(info).toMatchObject({ headers: { contentType: 'text/markdown' }, metadata: { colour: 'rot' } })
    expect((await curl(`${served.url}/up/form.txt`)).status).toBe(200)
  })

  it('lead on, and take the name from the file', async () => {
    const key = `up/$\{filename}`
    const form = await signing().signForm(key, { expiresMs: 60_000, redirect: 'https://example.com/done?a=1' })
    const reply = await curl(...formArguments(form, file))
    expect(reply.status).toBe(303)
    expect(reply.headers.location).toMatch(/^https:\/\/example\.com\/done\?a=1&key=up%2Ffile\.txt&etag=/)
    expect((await contentOf(store, 'up/file.txt')).toString()).toBe('from a form')
  })

  it('take nothing that the policy does not permit', async () => {
    const form = await signing().signForm('up/no', {
      expiresMs: 60_000,
      maxSizeBytes: 10,
      headers: { contentType: 'text/plain' },
    })
    const tooLarge = await curl(...formArguments(form, file))
    expect(tooLarge).toMatchObject({ status: 400, body: expect.stringContaining('EntityTooLarge') })
    const free = await signing().signForm('up/no', { expiresMs: 60_000 })
    const refusals = [
      { key: 'up/other' },
      { acl: 'public-read' },
      { 'x-amz-signature': '0'.repeat(64) },
      { policy: Buffer.from('{"expiration":"2999-01-01T00:00:00Z","conditions":[]}').toString('base64') },
    ]
    for (const fields of refusals) {
      const changed = { ...free, fields: { ...free.fields, ...fields } }
      expect((await curl(...formArguments(changed, file))).status, JSON.stringify(fields)).toBe(403)
    }
    const typed = { ...form, fields: { ...form.fields, 'Content-Type': 'text/html' } }
    expect((await curl(...formArguments(typed, file))).status).toBe(403)
    nowMs += 60_000
    expect((await curl(...formArguments(free, file))).status).toBe(403)
    expect(await kindOf(store.head('up/no'))).toBe('not-found')
    expect((await store.list({ prefix: 'up/no' })).objects).toStrictEqual([])
  })

  it('store nothing where they are answered with an error', async () => {
    const form = await signing().signForm('up/wrong', { expiresMs: 60_000 })
    const args = formArguments(form, file).slice(0, -1)
    const doubled = await curl('--form-string', 'key=up/wrong', ...args, form.url)
    expect(doubled).toMatchObject({ status: 400, body: expect.stringContaining('given twice') })
    const twoFiles = await curl(...args, '--form', `file=@${file}`, form.url)
    expect(twoFiles).toMatchObject({ status: 400, body: expect.stringContaining('too many') })
    const otherFile = await curl(...args, '--form', `other=@${file}`, form.url)
    expect(otherFile.status).toBe(400)
    await expect.poll(() => temporaries()).toStrictEqual([])
    expect(await kindOf(store.head('up/wrong'))).toBe('not-found')
    expect((await curl(...args, '--form-string', 'key=behind the file', form.url)).status).toBe(204)
    expect((await contentOf(store, 'up/wrong')).toString()).toBe('from a form')
  })

  it('store no file while there is more of the form to come', async () => {
    const form = await signing().signForm('up/early', { expiresMs: 60_000 })
    const { hostname, port } = new URL(served.url)
    const part = (disposition: string, value: string) =>
      `--b\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`
    const fields = Object.entries(form.fields).map(([name, value]) => part(`name="${name}"`, value))
    const first = `${fields.join('')}${part('name="file"; filename="a"', 'whole')}--b\r\n`
    const second = `${part('name="other"; filename="b"', 'more').slice('--b\r\n'.length)}--b--\r\n`
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${first.length + second.length}\r\n\r\n${first}`,
    )
    await expect.poll(async () => (await temporaries()).length > 0 || (await isThere('up/early'))).toBe(true)
    socket.end(second)
    const reply = (await socket.toArray()).join('')
    expect(reply).toMatch(/^HTTP\/1\.1 400 /)
    await expect.poll(() => temporaries()).toStrictEqual([])
    expect(await isThere('up/early')).toBe(false)
  })

  it('are not made of the signature of a URL', async () => {
    const { url } = await signing().signUrl('a', { method: 'PUT', expiresMs: 60_000 })
    const query = new URL(url).searchParams
    const [time, signature] = [query.get('X-Amz-Date') ?? '', query.get('X-Amz-Signature') ?? '']
    const canonical = `PUT\n/a\n${url.replace(/^[^?]*\?|&X-Amz-Signature.*/g, '')}\nhost:mount-bucket\n\nhost\nUNSIGNED-PAYLOAD`
    const scope = `${time.slice(0, 8)}/local/s3/aws4_request`
    const signed = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`
    const fields = { key: 'a', policy: signed, 'x-amz-date': time, 'x-amz-signature': signature }
    const reply = await curl(...formArguments({ url: `${served.url}/`, fields }, file))
    expect(reply).toMatchObject({ status: 403, body: expect.stringContaining('no policy') })
  })

  it('store nothing of a file that breaks off', async () => {
    const form = await signing().signForm('up/broken', { expiresMs: 60_000 })
    const { hostname, port } = new URL(served.url)
    const parts = [...Object.entries(form.fields), ['file', 'the beginning of']].map(([name, value]) => {
      const disposition = `Content-Disposition: form-data; name="${name}"${name === 'file' ? '; filename="a"' : ''}`
      return `--b\r\n${disposition}\r\n\r\n${value}${name === 'file' ? '' : '\r\n'}`
    })
    const head =
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 99999\r\n\r\n'
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.end(head + parts.join('')))
      socket
        .on('error', reject)
        .on('close', () => resolve())
        .resume()
    })
    await expect.poll(() => temporaries()).toStrictEqual([])
    expect(await kindOf(store.head('up/broken'))).toBe('not-found')
    const whole = `${parts.join('')}`
    const cut = await fetch(`${served.url}/`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: whole,
    })
    expect(cut.status).toBe(400)
    await expect.poll(() => temporaries()).toStrictEqual([])
    expect(await kindOf(store.head('up/broken'))).toBe('not-found')
  })

  async function isThere(key: string): Promise<boolean> {
    return (await kindOf(store.head(key))) !== 'not-found'
  }

  async function temporaries(): Promise<readonly string[]> {
    return readdir(join(folder.path, 'store', '.mount-bucket', 'tmp'))
  }
})

describe('what is no object', () => {
  it('is not reached by any path', async () => {
    await writeFile(join(folder.path, 'outside'), 'outside')
    await mkdir(join(folder.path, 'store', 'sub'), { recursive: true })
    for (const path of [
      '../outside',
      '%2e%2e/outside',
      'sub/../../outside',
      '..%2Foutside',
      '.mount-bucket/secret',
      '//etc/passwd',
      '',
    ])
      expect((await curl('--path-as-is', `${served.url}/${path}`)).status, path).toBe(403)
    const { url } = await signing().signUrl('../outside', { method: 'GET', expiresMs: 60_000 })
    expect((await curl('--path-as-is', url)).status).toBe(404)
    const secret = await signing().signUrl('.mount-bucket/secret', { method: 'GET', expiresMs: 60_000 })
    expect((await curl(secret.url)).status).toBe(404)
    expect((await curl(`${served.url}/%ff`)).status).toBe(400)
    expect((await curl('--request', 'PATCH', `${served.url}/x`)).status).toBe(405)
  })

  it('has no URL while the folder is not served', async () => {
    const other = await openLocalStore(join(folder.path, 'other'), { create: true })
    await other.put('a', text('x'))
    const call = requirePower(other, 'signing').signUrl('a', { method: 'GET', expiresMs: 1000 })
    await expect(call).rejects.toMatchObject({ kind: 'unsupported', message: expect.stringContaining('bucket serve') })
  })
})
