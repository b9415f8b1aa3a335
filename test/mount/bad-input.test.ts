import { execFile } from 'node:child_process'
import { mkdtemp, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { Scene } from '../support/mounted.js'
import { built } from '../support/servers.js'

const run = promisify(execFile)
const WRITER = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'testsecret' }
const READER = { AWS_ACCESS_KEY_ID: 'reader', AWS_SECRET_ACCESS_KEY: 'readersecret' }

describe.runIf(canMount())('what stands in the way is said in one line, with the flag that mends it', () => {
  let server: S3Server

  beforeAll(async () => {
    await built()
    server = await startS3Server({
      buckets: ['photos'],
      region: 'eu-central-1',
      keys: [
        { accessKeyId: 'test', secretAccessKey: 'testsecret', readOnly: false },
        { accessKeyId: 'reader', secretAccessKey: 'readersecret', readOnly: true },
      ],
    })
  })
  afterAll(() => server.close())

  /** Tries to mount a bucket of the server, without the credentials of whoever runs the tests. */
  async function attempt(scene: Scene, environment: Record<string, string>, ...flags: string[]) {
    const words = ['s3://photos', scene.mountPoint, '--endpoint', server.url, '--region', 'eu-central-1', ...flags]
    const { exitCode, stderr } = await scene.run(words, { HOME: scene.folder, AWS_PROFILE: '', ...environment })
    return { exitCode, lines: stderr.trimEnd().split('\n') }
  }

  it('a wrong key', async () => {
    const { exitCode, lines } = await attempt(new Scene(), { ...WRITER, AWS_SECRET_ACCESS_KEY: 'wrong' })
    expect(exitCode).toBe(4)
    expect(lines).toEqual([expect.stringContaining('check the credentials: --profile')])
  })

  it('a wrong bucket', async () => {
    const scene = new Scene()
    const words = ['s3://nothing', scene.mountPoint, '--endpoint', server.url, '--region', 'eu-central-1']
    const { exitCode, stderr } = await scene.run(words, WRITER)
    expect(exitCode).toBe(3)
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining('there is no such bucket')])
  })

  it('no network', async () => {
    const scene = new Scene()
    const words = ['s3://photos', scene.mountPoint, '--endpoint', 'http://127.0.0.1:9']
    const { exitCode, stderr } = await scene.run(words, WRITER)
    expect(exitCode).toBe(5)
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining('--endpoint')])
  })

  it('a wrong region', async () => {
    const { exitCode, lines } = await attempt(new Scene(), WRITER, '--region', 'us-west-2')
    expect(exitCode).toBe(2)
    expect(lines).toEqual([expect.stringMatching(/--region.*eu-central-1/)])
  })

  it('credentials that may only read, which --read-only lets through', async () => {
    const scene = new Scene()
    const { exitCode, lines } = await attempt(scene, READER)
    expect(exitCode).toBe(4)
    expect(lines).toEqual([expect.stringContaining('--read-only')])
    const { exitCode: readOnly } = await attempt(scene, READER, '--read-only')
    expect(readOnly).toBe(0)
    await expect(writeFile(join(scene.mountPoint, 'f'), 'x')).rejects.toMatchObject({ code: 'EROFS' })
  })

  it('a state folder that can not be made', async () => {
    const { exitCode, lines } = await attempt(new Scene(), WRITER, '--state-dir', '/proc/none')
    expect(exitCode).toBe(2)
    expect(lines[0]).toContain('--state-dir')
  })
})

describe.runIf(canMount())('a full state folder', () => {
  const mounts = mountsOfThisFile()
  let s3: OwnS3
  let disk: string

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    disk = await mkdtemp(join(tmpdir(), 'mount-bucket-test-disk-'))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
  })
  afterAll(async () => {
    await mounts.endAll()
    await run('umount', ['-l', disk])
    await rmdir(disk)
    await s3.stop()
  })

  it('does not stop a sequential writer, and is ENOSPC for a write that must be staged', async () => {
    const driver = await s3.mount(['--part-size', '5M'], { stateDir: disk })
    const bytes = Buffer.alloc(40 * 1024 * 1024, 'sequential')
    await writeFile(driver.path('large'), bytes)
    expect((await s3.store.head('large')).sizeBytes).toBe(bytes.length)
    await s3.store.put('old', Buffer.from('old'))
    const far = run('dd', ['if=/dev/zero', `of=${driver.path('old')}`, 'bs=1M', 'seek=20', 'count=8', 'conv=notrunc'])
    await expect(far).rejects.toMatchObject({ stderr: expect.stringContaining('No space left on device') })
    const { body } = await s3.store.get('old')
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString().slice(0, 3)).toBe('old')
  })
})
