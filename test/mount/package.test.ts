import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canMount } from '../support/mount-driver.js'
import { built } from '../support/servers.js'

const ROOT = join(import.meta.dirname, '../..')

const TRANSPORTS = ['kernel', 'fuse-native']

/** What is packed beside the compiled sources. */
const DOCUMENTS = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'doc/CONFIGURATION.md',
  'doc/SEMANTICS.md',
  'doc/man/bucket.1',
  'doc/man/mount-bucket.1',
  'package.json',
]

/** What a program of somebody's own can import, and the kind of each. */
const EXPORTS = `
import * as library from 'mount-bucket'
const kinds = Object.entries(library).map(([name, value]) => [name, typeof value])
console.log(JSON.stringify(Object.fromEntries(kinds)))
const store = await library.openStore('mem://name')
await store.head('none').catch(error => console.log(error instanceof library.StoreError, error.kind))
await store.close()`

describe('the package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-package-'))
  const installation = join(folder, 'installation')
  const command = join(installation, 'node_modules/.bin/mount-bucket')
  let tarball = ''

  beforeAll(async () => {
    await built()
    // The build is there already.
    await execa('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT })
    tarball = join(folder, readdirSync(folder).find(name => name.endsWith('.tgz')) ?? '')
    await mkdir(installation)
    writeFileSync(join(installation, 'package.json'), '{"private":true}')
    const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--omit=dev']
    await execa('npm', ['install', ...flags, tarball], { cwd: installation })
  }, 300_000)
  afterAll(async () => {
    for (const transport of TRANSPORTS)
      await execa('fusermount3', ['-uz', join(folder, `${transport}-mnt`)], { reject: false })
    rmSync(folder, { recursive: true, force: true })
  })

  test('holds what was compiled and a few documents, and nothing else', async () => {
    const { stdout } = await execa('tar', ['-tf', tarball])
    const files = stdout.split('\n').map(path => path.replace(/^package\//, ''))
    expect(files.filter(path => !path.startsWith('dist/')).sort()).toEqual(DOCUMENTS)
    expect(files.filter(path => path.startsWith('dist/') && !/\.(js|d\.ts)(\.map)?$/.test(path))).toEqual([])
  })

  test('has a command that tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string }
    const { stdout, stderr } = await execa(command, ['--version'])
    expect(stdout.split('\n')[0]).toBe(`mount-bucket ${version}`)
    expect(stderr).toBe('')
  })

  test('is a library', async () => {
    const { stdout, stderr } = await execa(process.execPath, ['--input-type=module', '-e', EXPORTS], {
      cwd: installation,
    })
    const [kinds = '', caught] = stdout.split('\n')
    expect(JSON.parse(kinds)).toMatchObject({
      openStore: 'function',
      openBucket: 'function',
      StoreError: 'function',
      mount: 'function',
    })
    expect(caught).toBe('true not-found')
    expect(stderr).toBe('')
  })

  describe.skipIf(!canMount())('mounts', () => {
    test.each(TRANSPORTS)('by %s', async transport => {
      const [mountPoint, store, state] = ['mnt', 'store', 'state'].map(name =>
        join(folder, `${transport}-${name}`),
      ) as [string, string, string]
      for (const name of [mountPoint, store]) await mkdir(name)
      const env = { MOUNT_BUCKET_STATE_DIR: state, MOUNT_BUCKET_LOG_FILE: join(state, 'log') }
      await execa(command, [`file://${store}`, mountPoint, '--transport', transport], { env })
      try {
        await execa('sh', ['-c', 'echo text > "$1/file"', 'sh', mountPoint])
      } finally {
        const { stdout } = await execa(command, ['unmount', mountPoint], { env })
        expect(stdout).toBe(`${mountPoint} is unmounted, all is stored`)
      }
      expect(readFileSync(join(store, 'file'), 'utf8')).toBe('text\n')
    })
  })
})
