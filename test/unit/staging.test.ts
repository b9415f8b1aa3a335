import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { StagingArea } from '../../src/fs/staging.js'

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
  await mkdir(join(folder, 'staging'))
})

afterEach(() => rm(folder, { recursive: true }))

describe('what lies in the state folder', () => {
  it('is not thrown away because its record was cut off by a crash', async () => {
    await writeFile(join(folder, 'staging', 'x.data'), 'precious')
    await writeFile(join(folder, 'staging', 'x.json'), '')
    await writeFile(join(folder, 'staging', 'y.json'), '{}')
    await StagingArea.open({ folder, maxBytes: 1e9, log: SILENT })
    expect(await readFile(join(folder, 'kept', 'x.data'), 'utf8')).toBe('precious')
    expect(await readdir(join(folder, 'staging'))).toEqual([])
  })

  it('does not claim to hold the bytes of the object that was being edited', async () => {
    await writeFile(join(folder, 'staging', 'x.data'), `${'\0'.repeat(10)}edit`)
    await writeFile(join(folder, 'staging', 'x.json'), JSON.stringify({ key: 'f', baseEtag: 'e' }))
    await StagingArea.open({ folder, maxBytes: 1e9, log: SILENT })
    const record = JSON.parse(await readFile(join(folder, 'kept', 'x.json'), 'utf8'))
    expect(record).toMatchObject({ key: 'f', baseEtag: 'e' })
    expect(record.ranges).toBeUndefined()
  })

  it('stays with a driver that still lives', async () => {
    const first = await StagingArea.open({ folder, maxBytes: 1e9, log: SILENT })
    const file = await first.createFile({ key: 'f', baseEtag: undefined })
    await file.write(0, Buffer.from('not stored yet'))
    await StagingArea.open({ folder, maxBytes: 1e9, log: SILENT })
    expect(await readdir(join(folder, 'kept'))).toEqual([])
    await file.close()
    await StagingArea.open({ folder, maxBytes: 1e9, log: SILENT })
    expect(await readFile(join(folder, 'kept', `${file.id}.data`), 'utf8')).toBe('not stored yet')
  })
})
