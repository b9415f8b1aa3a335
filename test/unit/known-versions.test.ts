import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Log, SILENT } from '../../src/backend/log.js'
import { KnownVersions, type KnownVersionsOptions } from '../../src/cache/known-versions.js'
import { HeldTimers } from '../support/held-timers.js'
import { info, T } from '../support/object-info.js'

const TTL_MS = 10_000

let place: string
let folder: string
let nowMs: number
let timers: HeldTimers

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'known-'))
  folder = place
  nowMs = T + 60_000
  timers = new HeldTimers()
})

afterEach(() => rmSync(place, { recursive: true }))

function open(more: Partial<KnownVersionsOptions> = {}): Promise<KnownVersions> {
  return KnownVersions.open({
    maxEntries: 100,
    folder,
    log: SILENT,
    nowMs: () => nowMs,
    ttlMs: TTL_MS,
    timers,
    ...more,
  })
}

/** The mount dies; the next one finds what it had written by then. */
async function afterDeath(known: KnownVersions, more: Partial<KnownVersionsOptions> = {}): Promise<KnownVersions> {
  const found = mkdtempSync(join(place, 'dead-'))
  copyFileSync(file(), join(found, 'known-versions.jsonl'))
  await known.close()
  folder = found
  return open(more)
}

/** What is due is in the file. */
async function written(): Promise<void> {
  const before = existsSync(file()) ? all().length : 0
  timers.run()
  await expect.poll(() => (existsSync(file()) ? all().length : 0)).toBeGreaterThan(before)
  // The last line is the one that the write ends with.
  await expect.poll(() => all().at(-1)).toMatch(/^\d+$/)
}

/** Ends the mount and begins the next one. */
async function reopen(known: KnownVersions, more: Partial<KnownVersionsOptions> = {}): Promise<KnownVersions> {
  await known.close()
  return open(more)
}

const file = () => join(folder, 'known-versions.jsonl')
/** The title and what is said of versions; the lines between tell until when it is true. */
const lines = () => all().filter(line => line.startsWith('[') || line === all()[0])
const all = () => readFileSync(file(), 'utf8').trimEnd().split('\n')

describe('what was seen of a version', () => {
  it('is known of this version only', async () => {
    const known = await open()
    known.seen(info())
    expect(known.find(info())).toMatchObject({ metadata: { mode: '33188' }, traits: undefined })
    expect(known.find(info({ lastModifiedMs: T + 500 }))).toBeDefined()
    for (const other of [{ etag: 'f' }, { key: 'a' }, { sizeBytes: 4 }]) expect(known.find(info(other))).toBeUndefined()
    expect(known.find(info({ lastModifiedMs: T + 1000 }))).toBeUndefined()
  })

  it('is told apart by milliseconds where the store tells them, and by version ids', async () => {
    const known = await open()
    known.seen(info({ lastModifiedMs: T + 123 }))
    expect(known.find(info({ lastModifiedMs: T + 123 }))).toBeDefined()
    expect(known.find(info({ lastModifiedMs: T }))).toBeDefined()
    expect(known.find(info({ lastModifiedMs: T + 124 }))).toBeUndefined()
    known.seen(info({ versionId: 'v1' }))
    expect(known.find(info({ versionId: 'v1', lastModifiedMs: T + 5000 }))).toBeDefined()
    expect(known.find(info({ versionId: 'v2' }))).toBeUndefined()
  })

  it('survives a restart, with traits', async () => {
    const traits = {
      storageClass: 'COLD',
      tags: { a: 'b' },
      grants: { read: ['id="x"'] },
      encryption: { algorithm: 'k' },
    }
    let known = await open()
    known.seen(info())
    known.learnTraits(info(), traits)
    known.learnTraits(info({ key: 'unknown' }), traits)
    known = await reopen(known)
    expect(known.find(info())).toEqual({
      metadata: { mode: '33188' },
      headers: { contentType: 'text/plain' },
      shownModifiedMs: undefined,
      traits,
    })
    expect(known.find(info({ key: 'unknown' }))).toBeUndefined()
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    // A new sight keeps them.
    known.seen(info({ metadata: { mode: '33024' } }))
    expect(known.find(info())).toMatchObject({ metadata: { mode: '33024' }, traits })
  })

  it('counts for the TTL only and is not kept when it was learnt less than 2 s after Last-Modified', async () => {
    let known = await open()
    nowMs = T + 1999
    known.seen(info())
    nowMs += TTL_MS
    expect(known.find(info())).toBeDefined()
    known = await reopen(known)
    expect(known.find(info())).toBeUndefined()

    nowMs = T + 1999
    const cached = info()
    known.seen(cached)
    nowMs = T + 5000
    // The same answer again, out of a cache, is no newer.
    known.seen(cached)
    nowMs = T + 2000 + TTL_MS
    expect(known.find(info())).toBeUndefined()
    known.seen(info())
    nowMs += 10 * TTL_MS
    known = await reopen(known)
    expect(known.find(info())).toBeDefined()
  })

  it('of before goes from the file when somebody changed it within the same second', async () => {
    let known = await open()
    nowMs = T + 100
    known.wrote(info(), { ...info(), shownModifiedMs: undefined })
    known = await reopen(known)
    expect(known.find(info())).toMatchObject({ metadata: { mode: '33188' } })
    nowMs = T + 900
    known.seen(info({ metadata: { mode: '33024' } }))
    expect(known.find(info())).toMatchObject({ metadata: { mode: '33024' } })
    known = await reopen(known)
    expect(known.find(info())).toBeUndefined()
  })

  it('is written once, however often it is seen', async () => {
    const known = await open()
    for (let i = 0; i < 50; i++) known.seen(info())
    await known.close()
    expect(lines()).toHaveLength(2)
    const again = await open()
    for (let i = 0; i < 50; i++) again.seen(info())
    await again.close()
    expect(lines()).toHaveLength(2)
  })
})

describe('what this mount wrote', () => {
  const version = { metadata: { mode: '33188' }, headers: {}, shownModifiedMs: T + 5 }
  const object = { key: 'a/b', etag: 'e', sizeBytes: 3, lastModifiedMs: T + 7 }

  beforeEach(() => {
    nowMs = T + 7
  })

  it('is known by the time that it claimed, and by the one of the store', async () => {
    const known = await open()
    known.wrote(object, version)
    expect(known.find(object)).toEqual({ ...version, traits: {} })
    expect(known.find({ ...object, lastModifiedMs: T + 1000 })).toEqual({ ...version, traits: {} })
    expect(known.find(object)).toBeDefined()
    nowMs += 10 * TTL_MS
    expect(known.find({ ...object, lastModifiedMs: T + 1000 })).toBeDefined()
    expect(known.find({ ...object, lastModifiedMs: T + 2000 })).toBeUndefined()
  })

  it.each([true, false])('survives a restart (its time in the store was seen: %s)', async wasSeen => {
    let known = await open()
    known.wrote(object, { ...version, traits: { storageClass: 'COLD' } })
    if (wasSeen) known.find({ ...object, lastModifiedMs: T })
    known = await reopen(known)
    nowMs = T + 3_600_000
    expect(known.find({ ...object, lastModifiedMs: T })).toEqual({ ...version, traits: { storageClass: 'COLD' } })
    expect(known.find({ ...object, lastModifiedMs: T + 1000 })).toBeUndefined()
  })

  it('is not known any more where the store tells a later change', async () => {
    let known = await open()
    known.wrote(object, version)
    expect(known.find({ ...object, lastModifiedMs: T + 3000 })).toBeUndefined()
    // Nor when a listing that is behind tells the earlier time again.
    expect(known.find({ ...object, lastModifiedMs: T + 1000 })).toBeUndefined()
    known.wrote(object, version)
    known = await reopen(known)
    expect(known.find({ ...object, lastModifiedMs: T + 3000 })).toBeUndefined()
  })

  it('is known although the clock of the store is ahead, once a HEAD has told how far', async () => {
    const known = await open()
    known.wrote({ ...object, key: 'c' }, version)
    known.wrote(object, version)
    known.seen(info({ lastModifiedMs: T + 30_000, headers: {} }))
    expect(known.find({ ...object, lastModifiedMs: T + 30_000 })).toMatchObject({ shownModifiedMs: T + 5, traits: {} })
    expect(known.find({ ...object, key: 'c', lastModifiedMs: T + 30_000 })).toBeDefined()
  })

  it('gives way to what others put in its place', async () => {
    const known = await open()
    known.wrote(object, version)
    known.seen(info({ metadata: {}, lastModifiedMs: T + 60_000 }))
    expect(known.find(info({ lastModifiedMs: T + 60_000 }))).toMatchObject({ metadata: {}, shownModifiedMs: undefined })
    expect(known.find(object)).toBeUndefined()
  })
})

describe('what a mount wrote that died', () => {
  const version = { metadata: { mode: '33188' }, headers: {}, shownModifiedMs: T + 5 }
  const object = { key: 'a/b', etag: 'e', sizeBytes: 3, lastModifiedMs: T + 7 }

  beforeEach(() => {
    nowMs = T + 7
  })

  /** One version is in the file, its change of a moment later is not. */
  async function changedAtTheEnd(): Promise<KnownVersions> {
    const known = await open()
    known.wrote(object, version)
    await written()
    nowMs += 600
    known.wrote(object, { ...version, metadata: { mode: '33024' } })
    return known
  }

  it('is in doubt until the store has told the same', async () => {
    let known = await afterDeath(await changedAtTheEnd())
    nowMs = T + 3_600_000
    expect(known.find({ ...object, lastModifiedMs: T })).toBeUndefined()
    expect(known.isDoubtful({ ...object, lastModifiedMs: T })).toBe(true)
    // However often mounts end before anybody looks at it, in order or not.
    known = await reopen(known)
    expect(known.isDoubtful({ ...object, lastModifiedMs: T })).toBe(true)
    known = await afterDeath(known)
    expect(known.isDoubtful({ ...object, lastModifiedMs: T })).toBe(true)
    known.seen(info({ lastModifiedMs: T, headers: {} }))
    expect(known.find({ ...object, lastModifiedMs: T })).toEqual({ ...version, traits: {} })
    known = await reopen(known)
    expect(known.find({ ...object, lastModifiedMs: T })).toEqual({ ...version, traits: {} })
  })

  it('gives way to what the store tells', async () => {
    const known = await afterDeath(await changedAtTheEnd())
    nowMs = T + 3_600_000
    known.seen(info({ metadata: { mode: '33024' }, lastModifiedMs: T }))
    expect(known.find({ ...object, lastModifiedMs: T })).toMatchObject({ metadata: { mode: '33024' } })
    expect(known.isDoubtful(object)).toBe(false)
  })

  it('is not in doubt where the store tells another version', async () => {
    const known = await afterDeath(await changedAtTheEnd())
    const later = { ...object, lastModifiedMs: T + 3000 }
    expect(known.isDoubtful(later)).toBe(false)
    expect(known.find(later)).toBeUndefined()
  })

  it('is in doubt too where it stood already in the file of a mount that ended in order', async () => {
    let known = await open()
    known.wrote(object, version)
    known = await reopen(known)
    nowMs += 600
    known.wrote(object, { ...version, metadata: { mode: '33024' } })
    known = await afterDeath(known)
    expect(known.isDoubtful(object)).toBe(true)
  })

  it('moves in doubt with its folder', async () => {
    const known = await afterDeath(await changedAtTheEnd())
    known.movedBelow('a', 'c', (_, etag) => etag)
    expect(known.isDoubtful({ ...object, key: 'c/b', lastModifiedMs: nowMs })).toBe(true)
    expect(known.find({ ...object, key: 'c/b', lastModifiedMs: nowMs })).toBeUndefined()
  })

  it('is in no doubt once all that came shortly after it is in the file', async () => {
    const known = await open()
    known.wrote(object, version)
    known.seen(info({ key: 'seen' }))
    await written()
    expect(timers.pending).toBe(1)
    nowMs += 120_000
    await written()
    expect(timers.pending).toBe(0)
    const later = await afterDeath(known)
    expect(later.find({ ...object, lastModifiedMs: T })).toEqual({ ...version, traits: {} })
  })

  it('does not make others’ versions doubtful, which are kept only once a change would have another time', async () => {
    const known = await open()
    nowMs = T + 2000
    known.seen(info())
    await written()
    expect((await afterDeath(known)).find(info())).toBeDefined()
  })
})

describe('the file', () => {
  it('is written in the background, many changes at once', async () => {
    const known = await open()
    for (let i = 0; i < 20; i++) known.seen(info({ key: `k${i}` }))
    expect(timers.pending).toBe(1)
    timers.run()
    known.seen(info({ key: 'later' }))
    expect(timers.pending).toBe(1)
    timers.run()
    await known.close()
    expect(lines()).toHaveLength(22)
  })

  it('takes any number of changes at once', async () => {
    let known = await reopen(await open({ maxEntries: 20_000 }), { maxEntries: 20_000 })
    for (let i = 0; i < 10_100; i++) known.seen(info({ key: `k${i}` }))
    known = await reopen(known, { maxEntries: 20_000 })
    for (const key of ['k0', 'k9999', 'k10000', 'k10099']) expect(known.find(info({ key }))).toBeDefined()
  })

  it('holds whole lines only for what they say', async () => {
    let known = await open()
    for (const key of ['k1', 'k2', 'k3']) known.seen(info({ key }))
    await known.close()
    const [title, one, two, three] = lines()
    const wrong = '["e\\u00003\\u0000k5",{"metadata":{"a":1},"headers":{},"lastModifiedMs":1700000000000}]'
    const damaged = ['', '{', 'null', '[]', wrong, '[1,{}]', '\0\0', '["x"]', '["x",[]]']
    writeFileSync(file(), `${[title, one, ...damaged, two, three].join('\n')}\n`)
    truncateSync(file(), statSync(file()).size - 5)
    known = await open()
    expect(['k1', 'k2', 'k3'].map(key => known.find(info({ key })) !== undefined)).toEqual([true, true, false])
    expect(known.find(info({ key: 'k5' }))).toBeUndefined()
    known.seen(info({ key: 'k4' }))
    known = await reopen(known)
    expect(['k1', 'k2', 'k4'].every(key => known.find(info({ key })) !== undefined)).toBe(true)
  })

  it('of another format, or none, is begun anew', async () => {
    writeFileSync(file(), '"something else"\n["a",{}]\n')
    const known = await open()
    known.seen(info())
    await known.close()
    expect(lines()).toHaveLength(2)
  })

  it('is bounded, the least recently used go first', async () => {
    let known = await open({ maxEntries: 5 })
    for (let i = 0; i < 1000; i++) known.seen(info({ key: `k${i % 10}`, etag: `${i}` }))
    known = await reopen(known, { maxEntries: 3 })
    const found = (i: number) => known.find(info({ key: `k${i % 10}`, etag: `${i}` })) !== undefined
    expect([995, 996, 997, 998, 999].map(found)).toEqual([false, false, true, true, true])
  })

  it('is written anew when it has more than twice the entries', async () => {
    let known = await open()
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 90; i++) known.seen(info({ key: `k${i}`, lastModifiedMs: T + round * 1000 }))
      known = await reopen(known)
      expect(lines().length).toBeLessThanOrEqual(1 + 200)
    }
    for (let i = 0; i < 90; i++) expect(known.find(info({ key: `k${i}`, lastModifiedMs: T + 7000 }))).toBeDefined()
  })

  it('that can not be written costs what it held, and is logged once', async () => {
    const warnings: string[] = []
    const log: Log = { ...SILENT, warn: message => warnings.push(message) }
    const gone = join(folder, 'gone')
    const known = await open({ log, folder: gone })
    for (let i = 0; i < 3; i++) {
      known.seen(info({ key: `k${i}` }))
      timers.run()
    }
    await known.close()
    expect(known.find(info({ key: 'k0' }))).toBeDefined()
    expect(warnings).toHaveLength(1)
  })

  it('that can not be read is logged', async () => {
    writeFileSync(join(folder, 'not-a-folder'), '')
    const warnings: string[] = []
    await open({ folder: join(folder, 'not-a-folder'), log: { ...SILENT, warn: message => warnings.push(message) } })
    expect(warnings).toHaveLength(1)
  })
})
