import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import type { KeptRecord } from '../../src/fs/kept-files.js'
import { isWhole } from '../../src/fs/recovery.js'
import { StagingArea, type StagingOptions } from '../../src/fs/staging.js'

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
  await mkdir(join(folder, 'staging'))
})

/** What a driver makes when it starts. */
function area(options: Partial<StagingOptions> = {}): Promise<StagingArea> {
  const source = { url: 's3://photos', endpoint: 'http://127.0.0.1:9' }
  return StagingArea.open({ folder, source, maxBytes: 1e9, maxKeptBytes: 1e9, log: SILENT, ...options })
}

async function recordOf(id: string): Promise<KeptRecord> {
  return JSON.parse(await readFile(join(folder, 'kept', `${id}.json`), 'utf8')) as KeptRecord
}

afterEach(() => rm(folder, { recursive: true }))

describe('what lies in the state folder', () => {
  it('is not thrown away because its record was cut off by a crash', async () => {
    await writeFile(join(folder, 'staging', 'x.data'), 'precious')
    await writeFile(join(folder, 'staging', 'x.json'), '')
    await writeFile(join(folder, 'staging', 'y.json'), '{}')
    await area()
    expect(await readFile(join(folder, 'kept', 'x.data'), 'utf8')).toBe('precious')
    expect(await readdir(join(folder, 'staging'))).toEqual([])
  })

  it.each([undefined, 'e'])('does not claim to be whole after a crash (edits of: %s)', async baseEtag => {
    await writeFile(join(folder, 'staging', 'x.data'), `${'\0'.repeat(10)}text`)
    await writeFile(join(folder, 'staging', 'x.json'), JSON.stringify({ key: 'f', baseEtag }))
    await area()
    const record = await recordOf('x')
    expect(record).toMatchObject({ key: 'f', sizeBytes: 14 })
    expect(record.baseEtag).toBe(baseEtag)
    expect(isWhole(record)).toBe(false)
  })

  it('stays with a driver that still lives', async () => {
    const first = await area()
    const file = await first.createFile({ key: 'f', baseEtag: undefined })
    await file.write(0, Buffer.from('not stored yet'))
    await area()
    expect(await readdir(join(folder, 'kept'))).toEqual([])
    await file.close()
    await area()
    expect(await readFile(join(folder, 'kept', `${file.id}.data`), 'utf8')).toBe('not stored yet')
  })

  it('is known by the name that its file has by now', async () => {
    const first = await area()
    const file = await first.createFile({ key: 'old-name', baseEtag: undefined })
    await file.write(0, Buffer.from('text'))
    const between = first.renew(file, { key: 'between', baseEtag: undefined })
    await Promise.all([between, first.renew(file, { key: 'new-name', baseEtag: undefined })])
    await file.close()
    await area()
    expect(await recordOf(file.id)).toMatchObject({
      key: 'new-name',
      url: 's3://photos',
      endpoint: 'http://127.0.0.1:9',
    })
    expect(await readdir(join(folder, 'staging'))).toEqual([])
  })

  it('has nothing beside it where a new name could not be noted', async () => {
    const first = await area()
    const file = await first.createFile({ key: 'old-name', baseEtag: undefined })
    const record = join(folder, 'staging', `${file.id}.json`)
    await rm(record)
    // No file can take the place of a folder.
    await mkdir(record)
    await first.renew(file, { key: 'new-name', baseEtag: undefined })
    expect(await readdir(join(folder, 'staging'))).toEqual([`${file.id}.data`, `${file.id}.json`])
    await file.close()
  })

  it('keeps the record that said more before the crash', async () => {
    await area()
    await writeFile(join(folder, 'staging', 'x.data'), 'text')
    await writeFile(join(folder, 'staging', 'x.json'), JSON.stringify({ key: 'f', baseEtag: undefined }))
    await writeFile(join(folder, 'kept', 'x.json'), JSON.stringify({ key: 'f', reason: 'killed by SIGKILL' }))
    await area()
    expect((await recordOf('x')).reason).toBe('killed by SIGKILL')
    expect(await readFile(join(folder, 'kept', 'x.data'), 'utf8')).toBe('text')
  })

  it('is kept beyond the bound too, with a warning', async () => {
    const warnings: string[] = []
    const log = { ...SILENT, warn: (message: string) => void warnings.push(message) }
    const full = await area({ maxKeptBytes: 10_000, log })
    for (const key of ['a', 'b', 'c']) {
      const file = await full.createFile({ key, baseEtag: undefined })
      await file.write(0, Buffer.alloc(8192, key))
      await full.keep(file, {
        key,
        baseEtag: undefined,
        sizeBytes: 8192,
        ranges: [[0, 8192]],
        reason: 'test',
        keptAtMs: 0,
      })
    }
    expect((await readdir(join(folder, 'kept'))).length).toBe(6)
    expect(warnings).toHaveLength(2)
    expect(warnings[0]).toContain('--kept-size')
  })
})
