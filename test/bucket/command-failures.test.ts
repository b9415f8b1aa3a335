import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BucketCommand, BucketCommand as Command, commandStores } from '../support/bucket-command.js'
import { pattern } from '../support/bytes.js'
import { ownS3 } from '../support/servers.js'

const MIB = 1024 ** 2

describe.each((await commandStores()).filter(([name]) => name !== 'a local folder'))('on %s', (_, open) => {
  let bucket: BucketCommand
  beforeAll(async () => {
    bucket = await open()
    await bucket.run(['put', '-', 'key'], { input: 'bytes' })
  })
  afterAll(() => bucket.dispose())

  it.each([[['get', 'key', '-']], [['list']], [['put', '-', 'new']], [['exists', 'key']]])(
    'wrong credentials end %j with 4',
    async words => {
      const { exitCode, stdout, stderr } = await bucket.run(words, { env: { AWS_SECRET_ACCESS_KEY: 'wrong' } })
      expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' })
      expect(stderr).toMatch(/^bucket: .*: check the credentials and their rights$/)
    },
  )

  it.each([
    [['put', '-', 'new']],
    [['rm', 'key']],
    [['rm', '-f', 'key']],
    [['mv', 'key', 'other']],
    [['set-meta', 'key', '--meta', 'a=b']],
    [['remove-prefix', 'k', '--yes']],
  ])('without the right to write %j ends with 4, and nothing is lost', async words => {
    const { accessKeyId = '', secretAccessKey = '' } = bucket.server?.readOnlyCredentials ?? {}
    const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    const { exitCode, stderr } = await bucket.run(words, { env })
    expect(exitCode).toBe(4)
    expect(stderr).toMatch(/^bucket: .*: check the credentials and their rights$/)
    expect(await bucket.output('get', 'key', '-')).toBe('bytes')
    expect(await bucket.run(['exists', 'new'])).toMatchObject({ exitCode: 3 })
  })

  it.each([[['get', 'folder', '-']], [['info', 'folder']], [['cp', 'folder', 'other']], [['mv', 'folder/', 'other']]])(
    '%j says that a folder is no object, and what takes folders',
    async words => {
      await bucket.run(['put', '-', 'folder/below'], { input: 'bytes' })
      const { exitCode, stderr } = await bucket.run(words)
      expect(exitCode).toBe(3)
      expect(stderr).toMatch(/^bucket: folder\/? is a folder, and there is no such object: .*get-dir/)
      expect(await bucket.output('get', 'folder/below', '-')).toBe('bytes')
    },
  )

  it('a missing bucket ends a list with 3', async () => {
    const { exitCode, stderr } = await bucket.run(['list', '-b', 's3://no-such-bucket-here'])
    expect(exitCode).toBe(3)
    expect(stderr).toMatch(/^bucket: there is no such bucket: check its name, --endpoint and --region/)
  })

  it('a download that is killed goes on where it was', async () => {
    await writeFile(join(bucket.folder, 'long'), pattern(64 * MIB))
    await bucket.output('put', 'long', '-q')
    const target = join(bucket.folder, 'there')
    await mkdir(target)
    const part = async () => (await readdir(target)).find(name => name.endsWith('.bucket-part'))
    const program = spawn(process.execPath, [Command.program, 'get', 'long', target], {
      env: { ...bucket.environment },
      stdio: 'ignore',
    })
    await expect
      .poll(
        async () => {
          const name = await part()
          return name === undefined ? 0 : (await stat(join(target, name))).size
        },
        { interval: 1, timeout: 20_000 },
      )
      .toBeGreaterThan(0)
    program.kill('SIGKILL')
    await new Promise(resolve => program.once('exit', resolve))
    if ((await readdir(target)).includes('long')) throw new Error('it was too fast to be killed')
    const result = (await bucket.json('get', 'long', target)) as { readonly resumed: number; readonly size: number }
    expect(result.size).toBe(64 * MIB)
    expect(result.resumed).toBeGreaterThan(0)
    expect(await readdir(target)).toEqual(['long'])
    expect((await readFile(join(target, 'long'))).equals(pattern(64 * MIB))).toBe(true)
  })

  it('what a download left of another version is not taken', async () => {
    await bucket.run(['put', '-', 'version'], { input: pattern(9 * MIB) })
    const etag = ((await bucket.json('info', 'version')) as { readonly etag: string }).etag
    const target = join(bucket.folder, 'version')
    await writeFile(join(bucket.folder, `.version.${'0'.repeat(16)}.free.bucket-part`), 'wrong')
    await bucket.output('get', 'version', target)
    expect((await readFile(target)).equals(pattern(9 * MIB))).toBe(true)
    expect((await readdir(bucket.folder)).filter(name => name.endsWith('.bucket-part'))).toEqual([])
    expect(etag).not.toBe('')
  })

  it('bytes that are not what the checksum says are not kept', async () => {
    await bucket.run(['put', '-', 'lie', '--meta', `sha256=${'a'.repeat(64)}`], { input: pattern(9 * MIB) })
    const { exitCode, stderr } = await bucket.run(['get', 'lie', 'lie-file'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^bucket: lie: the bytes have the sha256 [0-9a-f]{64}, not a+ as the store says$/)
    expect(await readdir(bucket.folder)).not.toContain('lie-file')
    expect(await bucket.run(['get', 'lie', 'lie-file', '--no-verify'])).toMatchObject({ exitCode: 0 })
  })
})

describe('without a store that answers', () => {
  it('ends with 5 where nothing listens', async () => {
    const bucket = await Command.onServer(await ownS3())
    const env = { MOUNT_BUCKET_ENDPOINT: 'http://127.0.0.1:1' }
    const { exitCode, stderr } = await bucket.run(['list', '--attempts', '2', '--timeout', '2s'], { env })
    expect(exitCode).toBe(5)
    expect(stderr).toMatch(/^bucket: list: .*ECONNREFUSED.*: check the network and --endpoint$/)
    await bucket.dispose()
  })

  it('ends with 4 where the credentials have expired', async () => {
    const body = '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'
    const server = createServer((_, response) =>
      response.writeHead(400, { 'content-type': 'application/xml' }).end(body),
    )
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const bucket = await Command.onServer(await ownS3())
    const env = { MOUNT_BUCKET_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
    const { exitCode, stderr } = await bucket.run(['list'], { env })
    expect(exitCode).toBe(4)
    expect(stderr).toMatch(/: the credentials have expired$/)
    server.close()
    await bucket.dispose()
  })
})

describe('the configuration file', () => {
  let bucket: BucketCommand
  let python: string
  const write = async (name: string, text: string, mode = 0o600) => {
    await writeFile(join(bucket.folder, name), text, { mode })
    return name
  }
  /** Nothing from the environment but where the state goes. */
  const run = (...words: readonly string[]) => {
    const { PATH = '', HOME = '', MOUNT_BUCKET_STATE_DIR = '' } = bucket.environment
    return execa(process.execPath, [Command.program, ...words], {
      reject: false,
      cwd: bucket.folder,
      extendEnv: false,
      env: { PATH, HOME, MOUNT_BUCKET_STATE_DIR },
    })
  }
  beforeAll(async () => {
    const server = await ownS3()
    bucket = await Command.onServer(server)
    await bucket.run(['put', '-', 'key'], { input: 'bytes' })
    python = [
      '---',
      's3:',
      `    access_key_id: "${server.credentials.accessKeyId}"`,
      `    secret_access_key: "${server.credentials.secretAccessKey}"`,
      `    default_bucket: "${bucket.url.slice('s3://'.length)}"`,
      `    endpoint: "${server.endpoint.slice('http://'.length)}"`,
      '    tls: False',
      '',
    ].join('\n')
  })
  afterAll(() => bucket.dispose())

  it('of the Python module is read as it is', async () => {
    const file = await write('s3.yaml', python)
    expect(await run('list', '--config', file)).toMatchObject({ exitCode: 0, stdout: 'key', stderr: '' })
  })

  it('has profiles, which may hold such a section, too', async () => {
    const section = python.replace('---\n', '').replaceAll(/^/gm, '    ')
    const file = await write('profiles.yaml', `profiles:\n  nas:\n${section}`)
    expect(await run('list', '--config', file, '--use', 'nas')).toMatchObject({ exitCode: 0, stdout: 'key' })
    const { exitCode, stderr } = await run('list', '--config', file, '--use', 'nass')
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^bucket: --use: expected a profile of .*profiles.yaml \(perhaps nas\), found "nass"\n/)
  })

  it('with keys that others can read is refused, unless told otherwise', async () => {
    const file = await write('open.yaml', python, 0o644)
    const { exitCode, stderr } = await run('list', '--config', file)
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/open.yaml: expected a file with keys that its owner alone may read .*, found mode 0644\n/)
    expect(stderr).not.toContain('testsecret')
    expect(await run('list', '--config', file, '--insecure-config')).toMatchObject({ exitCode: 0, stdout: 'key' })
  })

  it('tells what is wrong with a section of the Python module', async () => {
    const file = await write('wrong.yaml', 's3:\n  access_key: x\n  tls: maybe\n  access_key_id: id\n')
    const { exitCode, stderr } = await run('list', '--config', file)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('wrong.yaml:2 s3: access_key: expected a key of an s3: section')
    expect(stderr).toContain('wrong.yaml:3 s3: tls: expected true or false, found "maybe"')
    expect(stderr).toContain('wrong.yaml:4 s3: access_key_id: expected secret-access-key with it, found none')
  })
})
