import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import { SILENT } from '../../src/backend/log.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { PartSizes } from '../../src/backend/part-sizes.js'
import { parseArguments } from '../../src/cli/arguments.js'
import { findLeft, idLength, leftLine, listLines } from '../../src/cli/kept-list.js'
import { Committer } from '../../src/fs/commit.js'
import { type KeptFile, KeptFiles, type KeptRecord } from '../../src/fs/kept-files.js'
import { piecesOfKept, type RecoveryServices, retryKept, saveKept } from '../../src/fs/recovery.js'
import { StagingArea } from '../../src/fs/staging.js'
import { contentOf, testBytes, text } from '../support/store-tools.js'

const MIB = 1024 * 1024

const COMMITTING = { sizes: new PartSizes(5 * MIB), concurrency: 2, nowMs: () => 0 }

let folder = ''
let buckets = 0
let store: ObjectStore
let kept: KeptFiles
let services: RecoveryServices

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
  store = openMemoryStore(`recover-${++buckets}`)
  kept = new KeptFiles(folder)
  const source = { url: 's3://photos' }
  const area = await StagingArea.beside({ folder, source, maxBytes: 1e9, maxKeptBytes: 1e9, log: SILENT })
  services = { store, area, committer: new Committer({ ...COMMITTING, store, area }) }
})

afterEach(() => rm(folder, { recursive: true }))

/** Keeps bytes; by default those of a new file `f`. */
async function keep(data: Uint8Array, changes: Partial<KeptRecord> = {}): Promise<KeptFile> {
  const from = join(folder, 'data')
  await writeFile(from, data)
  const sizeBytes = changes.sizeBytes ?? data.length
  const record: KeptRecord = {
    url: 's3://photos',
    key: 'f',
    path: 'f',
    baseEtag: undefined,
    shownEtag: undefined,
    attachments: undefined,
    sizeBytes,
    ranges: [[0, sizeBytes]],
    reason: 'killed by SIGKILL',
    keptAtMs: Date.UTC(2026, 0, 31, 12),
    ...changes,
  }
  await kept.add('0123456789', from, record)
  const [file] = await kept.list()
  if (file === undefined) throw new Error('nothing is kept')
  return file
}

function retry(file: KeptFile, force = false): Promise<void> {
  const { signal } = new AbortController()
  return kept.alone(file, data => retryKept(file, data, services, { force, signal })) as Promise<void>
}

async function save(file: KeptFile, force = false): Promise<{ bytes: Buffer; missingBytes: number }> {
  const target = join(folder, 'saved')
  const saved = await kept.alone(file, data => saveKept(file, data, target, { force, store: async () => store }))
  if (saved === undefined) throw new Error('somebody else is at it')
  return { bytes: await readFile(target), missingBytes: saved.missingBytes }
}

const EDIT = { sizeBytes: 12, ranges: [[4, 8]] } as const

describe('where the bytes of a kept file are', () => {
  const record = { key: 'f', url: '', reason: '', keptAtMs: 0, baseEtag: 'e', sizeBytes: 10 }

  it.each([
    ['here and in the base', { ranges: [[2, 4]] }, 'base 0-2, kept 2-4, base 4-10'],
    ['gone with an upload', { ranges: [[4, 10]], lost: [[0, 4]], baseEtag: undefined }, 'gone 0-4, kept 4-10'],
    ['nowhere without a base', { ranges: [[4, 6]], baseEtag: undefined }, 'zero 0-4, kept 4-6, zero 6-10'],
    ['perhaps here', { ranges: undefined }, 'kept 0-10'],
  ] as const)('%s', (_, changes, expected) => {
    const pieces = piecesOfKept({ ...record, ...changes })
    expect(pieces.map(({ kind, start, end }) => `${kind} ${start}-${end}`).join(', ')).toBe(expected)
  })
})

describe('save', () => {
  it('writes what was kept, with zeros where the program wrote nothing', async () => {
    const file = await keep(text('abcd'), { sizeBytes: 6, ranges: [[1, 3]] })
    expect(await save(file)).toEqual({ bytes: Buffer.from('\0bc\0\0\0'), missingBytes: 0 })
    expect(await kept.list()).toHaveLength(1)
  })

  it('lays edits over the version that they belong to', async () => {
    const { etag } = await store.put('f', text('old old old '))
    const file = await keep(text('    NEW '), { ...EDIT, baseEtag: etag })
    expect((await save(file)).bytes.toString()).toBe('old NEW old ')
  })

  it('writes zeros for what is gone with the version, and says so', async () => {
    const { etag } = await store.put('f', text('old old old '))
    await store.put('f', text('others'))
    const file = await keep(text('    NEW '), { ...EDIT, baseEtag: etag })
    expect(await save(file)).toEqual({ bytes: Buffer.from('\0\0\0\0NEW \0\0\0\0'), missingBytes: 8 })
  })

  it('writes over a file only by force', async () => {
    const file = await keep(text('new'))
    await writeFile(join(folder, 'saved'), 'precious')
    await expect(save(file)).rejects.toMatchObject({ code: 'EEXIST' })
    expect(await readFile(join(folder, 'saved'), 'utf8')).toBe('precious')
    expect((await save(file, true)).bytes.toString()).toBe('new')
    expect(await readdir(folder)).not.toContain(`saved.${file.id}`)
  })

  it('leaves nothing when the store can not be asked', async () => {
    const file = await keep(text('    NEW '), { ...EDIT, baseEtag: 'e' })
    const failing = () => Promise.reject(new Error('no network'))
    const target = join(folder, 'saved')
    const saved = kept.alone(file, data => saveKept(file, data, target, { force: false, store: failing }))
    await expect(saved).rejects.toThrow('no network')
    await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('retry', () => {
  it('stores a new file with what was to be kept beside it', async () => {
    const attachments = { metadata: { mode: '33152' }, headers: { contentType: 'text/csv' } }
    await retry(await keep(text('abc'), { attachments }))
    expect((await contentOf(store, 'f')).toString()).toBe('abc')
    expect(await store.head('f')).toMatchObject(attachments)
  })

  it.each([false, true])('hands on the tags of the object that it replaces (force: %s)', async force => {
    const traits = { tags: { project: 'x' } }
    const { etag } = await store.put('f', text('old'), { traits })
    // The mount had not heard of them when it kept the file.
    const attachments = { metadata: {}, headers: {}, traits: undefined }
    await retry(await keep(text('new'), { shownEtag: etag, attachments }), force)
    expect((await contentOf(store, 'f')).toString()).toBe('new')
    expect(await store.traits('f')).toStrictEqual(traits)
  })

  it('stores by force what others have removed', async () => {
    const file = await keep(text('new'), { shownEtag: 'gone' })
    await expect(retry(file)).rejects.toThrow('--force')
    await retry(file, true)
    expect((await contentOf(store, 'f')).toString()).toBe('new')
  })

  it('is content with what its mount has stored without hearing of it', async () => {
    const file = await keep(text('mine'))
    const { etag } = await store.put('f', text('mine'))
    services = { ...services, store: new RetryLayer(store) }
    services = { ...services, committer: new Committer({ ...COMMITTING, ...services }) }
    await retry(file)
    expect((await store.head('f')).etag).toBe(etag)
  })

  it('leaves alone what others have made under the name, unless it is forced', async () => {
    const file = await keep(text('mine'))
    await store.put('f', text('theirs'))
    await expect(retry(file)).rejects.toThrow('--force')
    expect((await contentOf(store, 'f')).toString()).toBe('theirs')
    await retry(file, true)
    expect((await contentOf(store, 'f')).toString()).toBe('mine')
  })

  it('replaces the version that the file was to replace, and no other', async () => {
    const { etag } = await store.put('f', text('old'))
    const file = await keep(text('new'), { shownEtag: etag })
    await store.put('f', text('other'))
    await expect(retry(file)).rejects.toThrow('--force')
    await store.put('f', text('old'))
    await retry(file)
    expect((await contentOf(store, 'f')).toString()).toBe('new')
  })

  it('lays edits over the version that they belong to', async () => {
    const { etag } = await store.put('f', text('old old old '))
    await retry(await keep(text('    NEW '), { ...EDIT, baseEtag: etag, shownEtag: etag }))
    expect((await contentOf(store, 'f')).toString()).toBe('old NEW old ')
  })

  it.each([false, true])('stores no edits over another version (force: %s)', async force => {
    const { etag } = await store.put('f', text('old old old '))
    await store.put('f', text('others'))
    const file = await keep(text('    NEW '), { ...EDIT, baseEtag: etag })
    await expect(retry(file, force)).rejects.toThrow('save --partial')
    expect((await contentOf(store, 'f')).toString()).toBe('others')
  })

  it('has no more of the base than the program left of it', async () => {
    const { etag } = await store.put('f', text('old old old '))
    const file = await keep(text('NEW'), {
      sizeBytes: 8,
      ranges: [
        [0, 3],
        [5, 8],
      ],
      baseEtag: etag,
    })
    expect((await save(file)).bytes.toString()).toBe('NEW o\0\0\0')
    await retry(file)
    expect((await contentOf(store, 'f')).toString()).toBe('NEW o\0\0\0')
  })

  it('stores large files by parts, and leaves no upload', async () => {
    const bytes = testBytes(12 * MIB)
    await retry(await keep(bytes))
    expect((await contentOf(store, 'f')).equals(bytes)).toBe(true)
    expect(await store.listUploads()).toEqual([])
    expect(await readdir(join(folder, 'uploads'))).toEqual([])
  })

  it('does not guess', async () => {
    await expect(retry(await keep(text('abc'), { ranges: undefined, baseEtag: 'e' }))).rejects.toThrow('a part')
    await expect(retry(await keep(text('abc'), { ranges: [[0, 1]], lost: [[1, 3]] }))).rejects.toThrow('a part')
    expect((await store.list()).objects).toEqual([])
  })
})

describe('kept files', () => {
  it('are worked on by one at a time', async () => {
    const file = await keep(text('abc'))
    const inner = await kept.alone(file, () => kept.alone(file, async () => 'inside'))
    expect(inner).toBeUndefined()
    await kept.alone(file, () => kept.remove(file.id))
    expect(await kept.alone(file, async () => 'removed')).toBeUndefined()
    expect(await readdir(join(folder, 'kept'))).toEqual([])
  })

  it('are there without a record too', async () => {
    const file = await keep(text('abc'))
    await writeFile(file.dataPath.replace('.data', '.json'), '{"cut of')
    expect(await kept.list()).toMatchObject([{ id: file.id, record: { sizeBytes: 3, ranges: undefined } }])
  })

  it('are listed by as much of their ids as tells them apart', async () => {
    const file = await keep(text('abc'), { key: 'a\x1b[2J\n' })
    const found = ['0123456789', '0123456788'].map(id => ({
      file: { ...file, id },
      folder: kept,
      stateDir: folder,
      mountPoint: undefined,
    }))
    expect(idLength(found)).toBe(10)
    const [head, line] = listLines(found.slice(1))
    expect(head?.split(/ {2,}/)).toEqual(['ID', 'KEPT (UTC)', 'SIZE', 'OBJECT', 'WHY'])
    const cells = ['01234567', '2026-01-31 12:00', '3', 's3://photos/a\\u001b[2J\\n', 'killed by SIGKILL']
    expect(line?.split(/ {2,}/)).toEqual(cells)
  })
})

describe('grammar', () => {
  it.each([
    [['recover'], { action: 'list', ids: [] }],
    [['recover', '--json', '/mnt'], { action: 'list', ids: ['/mnt'], json: true }],
    [['recover', 'list', './save'], { action: 'list', ids: ['./save'] }],
    [
      ['--state-dir', '/s', 'recover', 'save', '3f', 'out', '--force'],
      { action: 'save', ids: ['3f'], file: 'out', force: true },
    ],
    [['recover', 'retry', '3f', '--endpoint', 'http://nas'], { action: 'retry', ids: ['3f'], force: false }],
    [['recover', 'discard', '3f', '4a', '--yes'], { action: 'discard', ids: ['3f', '4a'], yes: true }],
  ])('%j', (words, expected) => {
    expect(parseArguments(words)).toMatchObject({ command: 'recover', ...expected, line: { faults: [] } })
  })

  it.each([
    [['recover', 'lits'], 'list, save, retry, discard or a mount point'],
    [['recover', 'save', '3f'], 'save ID FILE'],
    [['recover', 'retry'], 'retry ID'],
    [['recover', 'discard'], 'discard ID... or discard --all'],
    [['recover', 'discard', '--all', '3f'], 'discard ID... or discard --all'],
    [['recover', 'list', '--yes'], 'no --yes with list'],
    [['recover', '--jsn'], 'a known flag'],
  ])('%j is a fault', (words, expected) => {
    const invocation = parseArguments(words)
    if (invocation.command !== 'recover') throw new Error(invocation.command)
    expect(invocation.line.faults.map(fault => fault.expected).join()).toContain(expected)
  })
})

describe('what a driver was writing when it died', () => {
  const staged = () => join(folder, 'staging', 'id.data')

  it('is told of before the next mount keeps it, with how that comes about', async () => {
    await writeFile(staged(), 'half a file')
    await writeFile(join(folder, 'mount.json'), JSON.stringify({ mountPoint: '/bucket', source: 's3://photos' }))
    const left = await findLeft(folder)
    expect(left).toEqual([{ sizeBytes: 11, mountPoint: '/bucket', source: 's3://photos' }])
    expect(left.map(leftLine)).toEqual([
      'what a driver was writing when it died (11) is not listed yet: mount s3://photos at /bucket again, and it is kept',
    ])
    await rm(join(folder, 'mount.json'))
    expect((await findLeft(folder)).map(leftLine)).toEqual([
      'what a driver was writing when it died (11) is not listed yet: mount its store again, and it is kept',
    ])
  })

  it('is nothing while its driver lives, nor where nothing was written', async () => {
    const file = await services.area.createFile({ key: 'f', baseEtag: undefined })
    await file.write(0, Buffer.from('on its way'))
    await writeFile(staged(), '')
    expect(await findLeft(folder)).toEqual([])
    await services.area.remove(file)
  })
})
