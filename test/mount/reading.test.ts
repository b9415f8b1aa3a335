import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TLS_CERTIFICATE } from '../../scripts/servers/tls-certificate.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { inParallel, testBytes } from '../support/store-tools.js'

const mounts = mountsOfThisFile()
const MIB = 1024 ** 2
const SIZE = 64 * MIB
const CELL = 64 * 1024
const PAGE = 4096
const FILES = 12
/** Between the files, as listed and by st_ino: who reads one right after the one before it has the next one fetched ahead. */
const BETWEEN = Array.from({ length: FILES }, (_, i) => Array.from('abcdef', end => `${nameOf(i)}~${end}`)).flat()
/** What opening a file fetches of it, where nothing is known of it. */
const PEEK = 128 * 1024

describe.skipIf(!canMount()).each([0, 2])('what reading large objects costs, with %i data threads', threads => {
  let s3: OwnS3
  let driver: Driver

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    const fill = { bucket: 'bucket', key: 'large-##', count: FILES, sizeBytes: SIZE }
    const filled = await fetch(`${s3.server.url}/_control/fill`, { method: 'POST', body: JSON.stringify(fill) })
    expect(filled.ok).toBe(true)
    await putBetween(s3)
    driver = await s3.mount(['--metadata-ttl', '1h', '--data-threads', String(threads)])
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  /** Requests for data and the bytes of them while a file is read. */
  async function cost(
    number: number,
    read: (readAt: (offset: number, sizeBytes: number) => Promise<void>) => Promise<void>,
  ) {
    const { counters } = s3.server
    const before = counters()
    const handle = await open(driver.path(nameOf(number)), 'r')
    await read(async (offset, sizeBytes) => {
      const { bytesRead } = await handle.read(Buffer.allocUnsafe(sizeBytes), 0, sizeBytes, offset)
      expect(bytesRead).toBe(Math.min(sizeBytes, SIZE - offset))
    })
    await handle.close()
    const after = counters()
    return {
      requests: (after.requests.GetObject ?? 0) - (before.requests.GetObject ?? 0),
      bytes: (after.bytesOut.GetObject ?? 0) - (before.bytesOut.GetObject ?? 0),
    }
  }

  const pieces = (sizeBytes: number) => Array.from({ length: SIZE / sizeBytes }, (_, i) => i * sizeBytes)

  test.for([MIB, MIB / 8])('from front to back by %i bytes: every byte once, with few requests', async pieceBytes => {
    const { requests, bytes } = await cost(pieceBytes === MIB ? 0 : 1, async readAt => {
      for (const offset of pieces(pieceBytes)) await readAt(offset, pieceBytes)
    })
    expect(bytes).toBe(SIZE)
    expect(requests).toBeLessThanOrEqual(SIZE / (4 * MIB) + 12)
  })

  test('from front to back in four files at once: every byte once', async () => {
    const costs = await Promise.all(
      [2, 3, 4, 5].map(number =>
        cost(number, async readAt => {
          for (const offset of pieces(MIB)) await readAt(offset, MIB)
        }),
      ),
    )
    // Each counts the others' up to its end.
    expect(Math.max(...costs.map(({ bytes }) => bytes))).toBe(4 * SIZE)
  })

  test('from back to front: every byte once', async () => {
    const { bytes } = await cost(6, async readAt => {
      for (const offset of pieces(MIB).reverse()) await readAt(offset, MIB)
    })
    expect(bytes).toBe(SIZE)
  })

  test.for([1, 16])('a page here and there, %i at once: a request and a cell for each', async atOnce => {
    const offsets = Array.from({ length: 200 }, (_, i) => PAGE * ((i * 7919 + 4000) % (SIZE / PAGE)))
    const { requests, bytes } = await cost(atOnce === 1 ? 7 : 8, readAt =>
      inParallel(offsets, atOnce, offset => readAt(offset, PAGE)),
    )
    const cells = new Set(offsets.map(offset => Math.floor(offset / CELL))).size
    expect(requests).toBeLessThanOrEqual(cells + 1)
    expect(bytes).toBeLessThanOrEqual(cells * CELL + PEEK)
  })

  test('a page of every mebibyte: nothing between them', async () => {
    const { bytes } = await cost(9, async readAt => {
      for (const offset of pieces(MIB)) await readAt(offset, PAGE)
    })
    expect(bytes).toBeLessThanOrEqual((SIZE / MIB) * CELL + PEEK)
  })

  test('one byte: what the kernel asks for, and no more', async () => {
    const { requests, bytes } = await cost(10, readAt => readAt(0, 1))
    expect(requests).toBeLessThanOrEqual(2)
    expect(bytes).toBeLessThanOrEqual(MIB)
  })

  test('a reader that leaves early wastes at most what it had read several times', async () => {
    const { bytes } = await cost(11, async readAt => {
      await readAt(0, MIB)
      await readAt(MIB, MIB)
    })
    expect(bytes).toBeLessThanOrEqual(16 * MIB)
  })

  test('none of the files stands right behind another, as listed or by st_ino', async () => {
    const names = await readdir(driver.path())
    expect(names.length).toBe(FILES + BETWEEN.length)
    const inos = new Map<string, number>()
    for (const name of names) inos.set(name, (await stat(driver.path(name))).ino)
    const byIno = [...names].sort((a, b) => (inos.get(a) ?? 0) - (inos.get(b) ?? 0))
    const isLarge = (name: string | undefined) => name !== undefined && !BETWEEN.includes(name)
    for (const order of [names, byIno])
      expect(order.filter((name, at) => isLarge(name) && isLarge(order[at + 1]))).toEqual([])
  })
})

describe.skipIf(!canMount()).each([0, 2])('over HTTPS, with %i data threads', threads => {
  let s3: OwnS3

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts, true)
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  test('files read at once are what was stored, every byte once', async () => {
    const folder = await mounts.folder()
    const certificate = join(folder, 'certificate.pem')
    await writeFile(certificate, TLS_CERTIFICATE)
    const contents = Array.from({ length: 4 }, (_, n) => Buffer.from(testBytes(16 * MIB + n * 10_007, n)))
    for (const [n, bytes] of contents.entries()) await s3.store.put(nameOf(n), bytes)
    await putBetween(s3)
    const environment = { NODE_EXTRA_CA_CERTS: certificate }
    const driver = await s3.mount(['--data-threads', String(threads)], { environment })
    const sentBytes = () => s3.server.counters().bytesOut.GetObject ?? 0
    const before = sentBytes()
    const read = await Promise.all(contents.map((_, n) => readFile(driver.path(nameOf(n)))))
    expect(read.map((bytes, n) => contents[n]?.equals(bytes))).toEqual(contents.map(() => true))
    expect(sentBytes() - before).toBe(contents.reduce((sum, bytes) => sum + bytes.length, 0))
    expect(driver.log).not.toMatch(/ (WARN|ERROR) /)
    expect(await driver.unmount()).toBe(0)
  })
})

function nameOf(number: number): string {
  return `large-${String(number).padStart(2, '0')}`
}

async function putBetween({ store }: OwnS3): Promise<void> {
  await inParallel(BETWEEN, 4, async name => void (await store.put(name, Buffer.from('x'))))
}
