import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, test } from 'vitest'
import { TLS_CERTIFICATE } from '../../scripts/servers/tls-certificate.js'
import { BucketCommand } from '../support/bucket-command.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { testBytes } from '../support/store-tools.js'

/** The oldest that is supported, and the later ones. */
const VERSIONS = ['20.19', '22', '24']

/** The kernel transport reads through a handle of Node's that is not documented: each supported major has to show it. */
describe.skipIf(!canMount()).each(VERSIONS)('on Node.js %s', version => {
  const mounts = mountsOfThisFile()
  let node = ''

  beforeAll(async () => {
    const folder = await mounts.folder('node')
    await writeFile(join(folder, 'package.json'), '{"private":true}')
    const flags = ['--prefer-offline', '--no-audit', '--no-fund']
    // The package brings its program by an install script.
    const { failed, stderr } = await execa('npm', ['install', ...flags, `node@${version}`], {
      cwd: folder,
      reject: false,
    })
    if (failed && process.env.REQUIRE_ALL === '1') throw new Error(`node@${version}: ${stderr}`)
    if (failed) process.stderr.write(`SKIPPED: tests on Node.js ${version}: ${stderr}\n`)
    else node = join(folder, 'node_modules/node/bin/node')
  }, 300_000)

  test.for(['kernel', 'fuse-native'])(
    'the %s transport mounts, writes, reads and unmounts',
    async (transport, context) => {
      // The registry had no such Node.js: said above, and an error where everything is required.
      if (node === '') return context.skip()
      expect((await execa(node, ['--version'])).stdout).toMatch(new RegExp(`^v${version.replace('.', '\\.')}\\.`))
      const store = await mounts.folder('store')
      const driver = await mounts.start({ url: `file://${store}`, node, flags: ['--transport', transport] })
      const bytes = Buffer.alloc(20 * 1024 * 1024 + 3, 'node')
      await Promise.all([
        writeFile(driver.path('large'), bytes),
        ...Array.from({ length: 50 }, (_, i) => writeFile(driver.path(`small-${i}`), `small ${i}`)),
      ])
      expect((await readFile(driver.path('large'))).equals(bytes)).toBe(true)
      expect(await readFile(driver.path('small-7'), 'utf8')).toBe('small 7')
      expect((await readdir(driver.mountPoint)).length).toBe(51)
      expect(await driver.unmount()).toBe(0)
      expect((await readFile(join(store, 'large'))).equals(bytes)).toBe(true)
    },
  )

  test('the bucket command stores, lists, compares, finds and fetches', async context => {
    // As above: no such Node.js in the registry.
    if (node === '') return context.skip()
    const s3 = await OwnS3.start(mounts)
    try {
      const cwd = await mounts.folder('files')
      const environment = {
        HOME: join(cwd, 'home'),
        MOUNT_BUCKET_URL: 's3://bucket',
        MOUNT_BUCKET_ENDPOINT: s3.server.url,
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'testsecret',
      }
      const run = async (...words: readonly string[]) =>
        (await execa(node, [BucketCommand.program, ...words], { cwd, extendEnv: false, env: environment })).stdout
      const bytes = testBytes(20 * 1024 * 1024 + 3)
      await writeFile(join(cwd, 'large'), bytes)
      await writeFile(join(cwd, 'words.txt'), 'harbour sunset')
      await run('put', '--files', 'large', 'words.txt', '--prefix', 'p')
      expect(await run('list')).toBe('p/large\np/words.txt')
      expect(await run('sync-from', 'p/', 'back')).toBe('2 transferred (20M), 0 the same, 0 removed')
      expect((await readFile(join(cwd, 'back/large'))).equals(bytes)).toBe(true)
      expect(await run('sync-to', 'back', 'p', '--delete')).toBe('0 transferred (0), 2 the same, 0 removed')
      expect(JSON.parse(await run('search', 'sunset', '--json'))).toMatchObject({ hits: [{ key: 'p/words.txt' }] })
      expect(await run('get', 'p/words.txt', '-')).toBe('harbour sunset')
    } finally {
      await s3.stop()
    }
  })

  test('data threads receive into shared memory, over TLS too, and answer from it', async context => {
    // As above: no such Node.js in the registry.
    if (node === '') return context.skip()
    const s3 = await OwnS3.start(mounts, true)
    try {
      const certificate = join(await mounts.folder(), 'certificate.pem')
      await writeFile(certificate, TLS_CERTIFICATE)
      const bytes = Buffer.from(testBytes(20 * 1024 * 1024 + 3))
      await s3.store.put('large', bytes)
      const environment = { NODE_EXTRA_CA_CERTS: certificate }
      const driver = await s3.mount(['--data-threads', '2'], { environment, node })
      expect((await readFile(driver.path('large'))).equals(bytes)).toBe(true)
      expect(driver.log).not.toMatch(/ (WARN|ERROR) /)
      expect(await driver.unmount()).toBe(0)
    } finally {
      await s3.stop()
    }
  })
})
