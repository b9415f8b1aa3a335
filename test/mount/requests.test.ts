import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'

const run = promisify(execFile)
const mounts = mountsOfThisFile()

/** Long enough that nothing runs out while a busy machine works through a tree. */
const FLAGS = ['--metadata-ttl', '10m']

async function shell(script: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await run('sh', ['-c', script, 'sh', ...words], { maxBuffer: 64 * 1024 ** 2 })
  return stdout
}

describe.skipIf(!canMount())('requests of programs on a fresh mount', () => {
  let own: OwnS3

  beforeAll(async () => {
    own = await OwnS3.start(mounts)
    await fill('many/file-#####', 10_000)
    for (let folder = 0; folder < 100; folder++) await fill(`tree/d${String(folder).padStart(3, '0')}/f###`, 100)
    await fill('small/file-####', 300)
    await fill('folder/file-####', 200)
    for (let folder = 0; folder < 15; folder++) await fill(`way/d${folder + 10}/f###`, 100)
    await fill('one', 1)
  })

  afterAll(() => own.stop())

  async function fill(key: string, count: number): Promise<void> {
    const body = JSON.stringify({ bucket: 'bucket', key, count, sizeBytes: 1000 })
    const reply = await fetch(`${own.server.url}/_control/fill`, { method: 'POST', body })
    expect(reply.status).toBe(200)
  }

  /** The requests of a script, which gets the mount point as $1. */
  async function costs(script: string, check: (output: string) => void, ...words: readonly string[]): Promise<number> {
    const driver = await own.mount(FLAGS)
    try {
      let output = ''
      const requests = await own.requestsDuring(async () => {
        output = await shell(script, driver.mountPoint, ...words)
      })
      check(output)
      return Object.values(requests).reduce((sum, count) => sum + count, 0)
    } finally {
      await driver.unmount()
    }
  }

  const lines = (count: number) => (output: string) => expect(output.trim().split('\n')).toHaveLength(count)

  it('find over 100 folders of 100 files: a page for a thousand keys', async () => {
    expect(await costs('find "$1/tree" -type f', lines(10_000))).toBeLessThanOrEqual(15)
  })

  it('ls of one of these folders: the folder above is not listed', async () => {
    expect(await costs('ls "$1/tree/d050"', lines(100))).toBeLessThanOrEqual(3)
  })

  it('ls -l of 10,000 files: the pages, and one for the folder', async () => {
    expect(await costs('ls -l "$1/many" | tail -n +2', lines(10_000))).toBeLessThanOrEqual(11)
  })

  it('stat of 500 names of 10,000: the listing', async () => {
    const names = Array.from({ length: 500 }, (_, number) => `many/file-${String(number * 20).padStart(5, '0')}`)
    const script = 'cd "$1" && shift && stat -c %s "$@"'
    expect(await costs(script, lines(500), ...names)).toBeLessThanOrEqual(20)
  })

  it('stat of 500 names that were just listed: nothing', async () => {
    const driver = await own.mount(FLAGS)
    await shell('ls -l "$1/many"', driver.mountPoint)
    const names = Array.from({ length: 500 }, (_, number) =>
      driver.path('many', `file-${String(number * 19).padStart(5, '0')}`),
    )
    expect(await own.requestsDuring(() => shell('stat "$@"', ...names))).toEqual({})
    await driver.unmount()
  })

  it('head -c1: what the name leads to, and a GET', async () => {
    const isOneByte = (output: string) => expect(output).toHaveLength(1)
    expect(await costs('head -c1 "$1/one" | LC_ALL=C tr -c x x', isOneByte)).toBeLessThanOrEqual(3)
  })

  it('cat of 300 files: one each', async () => {
    const isAll = (output: string) => expect(Number(output)).toBe(300_000)
    expect(await costs('cat "$1/small"/* | wc -c', isAll)).toBeLessThanOrEqual(1.05 * 300)
  })

  it('tar of a tree: one for each file', async () => {
    const isAll = (output: string) => expect(Number(output)).toBeGreaterThan(1_500_000)
    expect(await costs('tar cf - -C "$1" way | wc -c', isAll)).toBeLessThanOrEqual(1.1 * 1500)
  })

  it('cp -r in, mv and rm -r: one, two and one for each file', async () => {
    const source = join(await mounts.folder(), 'source')
    mkdirSync(source)
    for (let number = 0; number < 100; number++) writeFileSync(join(source, `f${number}`), String(number))
    const driver = await own.mount(FLAGS)
    const cost = async (script: string) => {
      const requests = await own.requestsDuring(() => shell(script, driver.mountPoint, source))
      return Object.values(requests).reduce((sum, count) => sum + count, 0)
    }
    expect(await cost('cp -r "$2" "$1/copied"')).toBeLessThanOrEqual(1.2 * 100)
    expect(await cost('mv "$1/folder" "$1/moved"')).toBeLessThanOrEqual(2.2 * 200)
    expect(await cost('rm -r "$1/moved"')).toBeLessThanOrEqual(1.1 * 200)
    expect((await own.store.list({ prefix: 'moved/' })).objects).toEqual([])
    expect((await own.store.list({ prefix: 'copied/' })).objects).toHaveLength(101)
    await driver.unmount()
  })
})
