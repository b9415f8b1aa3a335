import { afterEach, describe, expect, it } from 'vitest'
import type { HarnessOptions } from '../support/filesystem-harness.js'
import { Harness } from '../support/filesystem-harness.js'

const open: Harness[] = []

async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const h = await Harness.open(options)
  open.push(h)
  return h
}

afterEach(async () => {
  for (const h of open.splice(0)) await h.close()
})

const name = (number: number) => `f${String(number).padStart(4, '0')}`

async function fill(h: Harness, folder: string, files: number, sizeBytes = 100): Promise<string[]> {
  const paths = Array.from({ length: files }, (_, number) => `${folder}/${name(number)}`)
  for (const path of paths) await h.putOutside(path, path.padEnd(sizeBytes, '.'))
  return paths
}

/** Opens, reads and closes, as cat does. */
async function cat(h: Harness, path: string): Promise<void> {
  expect((await h.readFile(path)).toString().startsWith(path)).toBe(true)
}

/** GETs since the last call, of those under way as well. */
async function gets(h: Harness): Promise<number> {
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
  return h.requests().get ?? 0
}

describe('reading ahead across files', () => {
  it('costs one request a file, and fetches further and further ahead', async () => {
    const h = await harness()
    const paths = await fill(h, 'd', 300)
    await h.list('d', 1000, true)
    await gets(h)
    const ahead: number[] = []
    for (const path of paths.slice(0, 12)) {
      await cat(h, path)
      ahead.push(await gets(h))
    }
    // Two are read before others are fetched: 2, then 4, 8 ... at a time.
    expect(ahead.slice(0, 2)).toEqual([1, 3])
    expect(ahead.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(60)
    for (const path of paths.slice(12)) await cat(h, path)
    expect(ahead.reduce((sum, count) => sum + count, 0) + (await gets(h))).toBe(300)
  })

  it('fetches several at a time once it is as far ahead as it gets', async () => {
    const h = await harness()
    const paths = await fill(h, 'd', 300)
    await h.list('d', 1000, true)
    for (const path of paths.slice(0, 40)) await cat(h, path)
    await gets(h)
    const counts: number[] = []
    for (const path of paths.slice(40, 200)) {
      await cat(h, path)
      counts.push(await gets(h))
    }
    expect(new Set(counts)).toEqual(new Set([0, 8]))
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(160)
  })

  it('goes on in the next folder, whose names are asked for in time', async () => {
    const h = await harness()
    const first = await fill(h, 't/a', 20)
    const second = await fill(h, 't/b', 20)
    await h.list('t', 1000, true)
    await h.list('t/a', 1000, true)
    h.requests()
    for (const path of first) await cat(h, path)
    await gets(h)
    h.requests()
    await h.list('t/b', 1000, true)
    for (const path of second) await cat(h, path)
    expect(h.requests()).toEqual({})
  })

  it('serves who reads by st_ino, into the folders that stand between', async () => {
    const h = await harness()
    const [outer, inner] = [await fill(h, 't', 60), await fill(h, 't/sub', 30)]
    const inos = new Map<string, number>()
    await h.list('t', 1000, true)
    for (const path of [...outer, ...inner, 't/sub']) inos.set(path, (await h.walk(path)).attributes.ino)
    await h.list('t/sub', 1000, true)
    const sorted = (paths: readonly string[]) => [...paths].sort((a, b) => (inos.get(a) ?? 0) - (inos.get(b) ?? 0))
    const walk = sorted([...outer, 't/sub']).flatMap(path => (path === 't/sub' ? sorted(inner) : [path]))
    await gets(h)
    let most = 0
    let sum = 0
    for (const path of walk) {
      await cat(h, path)
      const count = await gets(h)
      most = Math.max(most, count)
      sum += count
    }
    expect(most).toBeGreaterThan(8)
    expect(sum).toBe(90)
  })

  it('fetches nothing for who lists, looks at names, opens without reading, or writes', async () => {
    const h = await harness()
    const paths = await fill(h, 'd', 30)
    await h.list('d', 1000, true)
    for (const path of paths) await h.walk(path)
    expect(await gets(h)).toBe(0)
    for (const path of paths.slice(0, 10)) await h.closeFile(await h.open(path))
    // The headers of each that was opened, and nothing else.
    expect(await gets(h)).toBe(10)
    for (const path of paths.slice(10, 20)) await h.writeFile(path, 'new')
    expect(await gets(h)).toBe(0)
  })

  it('fetches nothing for who reads files in another order', async () => {
    const h = await harness()
    const paths = await fill(h, 'd', 40)
    await h.list('d', 1000, true)
    await gets(h)
    for (let at = 0; at < 40; at += 1) await cat(h, paths[(at * 17) % 40] ?? '')
    expect(await gets(h)).toBe(40)
  })

  it('ends when the order is left, and waits for a longer run then', async () => {
    const h = await harness()
    const paths = await fill(h, 'd', 200)
    await h.list('d', 1000, true)
    await gets(h)
    let read = 0
    // Runs of three, far from each other.
    for (let at = 0; at + 3 < 200; at += 20)
      for (const path of paths.slice(at, at + 3)) {
        await cat(h, path)
        read += 1
      }
    const wasted = (await gets(h)) - read
    expect(wasted).toBeGreaterThan(0)
    expect(wasted).toBeLessThanOrEqual(8)
  })

  it('fetches of large files the beginning only', async () => {
    const h = await harness()
    const paths = await fill(h, 'd', 10, 2 * 1024 * 1024)
    await h.list('d', 1000, true)
    const bytes = () => h.meter.snapshot().get?.receivedBytes ?? 0
    const before = bytes()
    for (const path of paths.slice(0, 3)) {
      const handle = await h.open(path)
      await h.read(handle, 0, 4096)
      await h.closeFile(handle)
    }
    await gets(h)
    expect(bytes() - before).toBeLessThanOrEqual(10 * 1024 * 1024)
  })

  it('goes on for who reads the beginnings only, and keeps the room of other readers free', async () => {
    const h = await harness()
    const paths = await fill(h, 'd', 100, 300 * 1024)
    await h.list('d', 1000, true)
    await gets(h)
    let ahead = 0
    for (const path of paths.slice(0, 60)) {
      const handle = await h.open(path)
      await h.read(handle, 0, 4096)
      await h.closeFile(handle)
      ahead += (await gets(h)) - 1
    }
    expect(ahead).toBeGreaterThan(0)
  })

  it('shows no version that is older than what was opened', async () => {
    const h = await harness()
    const paths = await fill(h, 'd', 10)
    await h.list('d', 1000, true)
    for (const path of paths.slice(0, 4)) await cat(h, path)
    await gets(h)
    await h.putOutside(paths[5] ?? '', 'others have changed it')
    h.nowMs += 10_001
    expect((await h.readFile(paths[5] ?? '')).toString()).toBe('others have changed it')
  })
})
