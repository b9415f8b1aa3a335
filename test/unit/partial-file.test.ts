import { chmod, chown, link, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const BYTES = Buffer.from('0123456789')

let folder: string
let target: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'partial-file-'))
  target = join(folder, 'target')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A part as another process claims it that has the same number, as the first one of each container has. */
async function claimed(version = 'version') {
  vi.resetModules()
  const { PartialFile } = await import('../../src/bucket/partial-file.js')
  return PartialFile.claim(target, version, BYTES.length)
}

async function parts(): Promise<readonly string[]> {
  return (await readdir(folder)).filter(name => name.endsWith('.bucket-part'))
}

it('is not shared by processes that have the same number', async () => {
  const first = await claimed()
  await first.append(BYTES.subarray(0, 6))
  const second = await claimed()
  expect(second.sizeBytes).toBe(0)
  await second.append(BYTES)
  await second.commit()
  expect(await readFile(target)).toEqual(BYTES)
  await first.append(BYTES.subarray(6))
  await first.commit()
  expect(await readFile(target)).toEqual(BYTES)
  expect(await readdir(folder)).toEqual(['target'])
})

it('is gone on with once nobody works on it, the largest first', async () => {
  const [small, large, other] = [await claimed(), await claimed(), await claimed('other version')]
  await small.append(BYTES.subarray(0, 2))
  await large.append(BYTES.subarray(0, 6))
  await other.append(BYTES.subarray(0, 8))
  await Promise.all([small, large, other].map(part => part.keep()))
  const next = await claimed()
  expect(next.sizeBytes).toBe(6)
  await next.append(BYTES.subarray(6))
  const busy = await claimed('a third version')
  await busy.append(BYTES.subarray(0, 1))
  await next.commit()
  expect(await readFile(target)).toEqual(BYTES)
  expect(await parts()).toHaveLength(1)
  await busy.remove()
  expect(await parts()).toEqual([])
})

it.each([
  ['is shorter', (path: string) => truncate(path, 3)],
  ['is longer', (path: string) => writeFile(path, 'x', { flag: 'a' })],
  ['is gone', (path: string) => rm(path)],
  ['is another one', (path: string) => rm(path).then(() => writeFile(path, BYTES))],
])('does not take the place of the target when what was fetched %s', async (_, change) => {
  await writeFile(target, 'before')
  const part = await claimed()
  await part.append(BYTES)
  const [name = ''] = await parts()
  await change(join(folder, name))
  await expect(part.commit()).rejects.toMatchObject({ kind: 'corrupt', retryable: false })
  await part.remove()
  expect(await readFile(target, 'utf8')).toBe('before')
})

describe('claimed by another process in the moment before it takes the place of the target', () => {
  let meanwhile: () => Promise<void>
  beforeEach(() => {
    vi.doMock('node:fs/promises', async original => {
      const actual = await original<typeof import('node:fs/promises')>()
      const rename: typeof actual.rename = async (from, to) => {
        await meanwhile()
        await actual.rename(from, to)
      }
      return { ...actual, rename }
    })
  })
  afterEach(() => vi.doUnmock('node:fs/promises'))

  it.each(['the one that had it', 'the other'])('is the target all the same, first by %s', async which => {
    await writeFile(target, 'before')
    const part = await claimed()
    await part.append(BYTES)
    let other: typeof part | undefined
    meanwhile = async () => {
      meanwhile = async () => {}
      other = await claimed()
      expect(other.sizeBytes).toBe(BYTES.length)
      if (which === 'the other') await other.commit()
    }
    await part.commit()
    if (which !== 'the other') await other?.commit()
    expect(other).toBeDefined()
    expect(await readFile(target)).toEqual(BYTES)
    expect(await readdir(folder)).toEqual(['target'])
  })
})

it('takes the rights of the target, but runs as nobody that it did not run as', async () => {
  await writeFile(target, 'before')
  await chmod(target, 0o6751)
  const part = await claimed()
  await part.append(BYTES)
  await part.commit()
  expect((await stat(target)).mode & 0o7777).toBe(0o751)
})

it('is never a file that has another name, too', async () => {
  const part = await claimed()
  await part.append(BYTES.subarray(0, 6))
  await part.keep()
  const [name = ''] = await parts()
  await link(join(folder, name), join(folder, 'kept'))
  const next = await claimed()
  expect(next.sizeBytes).toBe(0)
  await next.append(BYTES)
  await next.commit()
  expect(await readFile(join(folder, 'kept'))).toEqual(BYTES.subarray(0, 6))
  expect(await readFile(target)).toEqual(BYTES)
})

it.skipIf(process.geteuid?.() !== 0)('is never a file of somebody else, unless the folder is his', async () => {
  const part = await claimed()
  await part.append(BYTES.subarray(0, 6))
  await part.keep()
  const [name = ''] = await parts()
  await chown(join(folder, name), 65_534, 65_534)
  const next = await claimed()
  expect(next.sizeBytes).toBe(0)
  await next.remove()
  await chown(folder, 65_534, 65_534)
  const his = await claimed()
  expect(his.sizeBytes).toBe(6)
  await his.remove()
})

it('is taken where there are no locks when nobody has written to it for long', async () => {
  vi.doMock('../../src/system/flock.js', () => ({
    tryLockExclusive: () => {
      throw new Error('no locks here')
    },
  }))
  const part = await claimed()
  await part.append(BYTES.subarray(0, 6))
  await part.keep()
  const young = await claimed()
  expect(young.sizeBytes).toBe(0)
  await young.remove()
  const old = new Date(Date.now() - 60 * 60 * 1000)
  for (const name of await parts()) await utimes(join(folder, name), old, old)
  const found = await claimed()
  expect(found.sizeBytes).toBe(6)
  await found.remove()
  vi.doUnmock('../../src/system/flock.js')
})
