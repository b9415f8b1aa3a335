import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BucketCommand, commandStores } from '../support/bucket-command.js'
import { readTree, writeTree } from '../support/file-trees.js'

describe.each(await commandStores())('bucket sync-to and sync-from on %s', (_, open) => {
  let bucket: BucketCommand
  let source: string
  let target: string

  beforeEach(async () => {
    bucket = await open()
    source = join(bucket.folder, 'source')
    target = join(bucket.folder, 'target')
    await writeTree(source, { a: 'one', 'b/c': 'two' })
  })
  afterEach(() => bucket.dispose())

  it('transfer what differs and say so', async () => {
    expect(await bucket.output('sync-to', 'source', 'p')).toBe('2 transferred (6), 0 the same, 0 removed')
    expect(await bucket.output('sync-to', 'source', 'p')).toBe('0 transferred (0), 2 the same, 0 removed')
    expect(await bucket.output('sync-from', 'p/', 'target', '-v')).toBe(
      'fetch p/a (new, 3)\nfetch p/b/c (new, 3)\n2 transferred (6), 0 the same, 0 removed',
    )
    expect(await readTree(target)).toEqual({ a: 'one', 'b/c': 'two' })
    await writeFile(join(target, 'a'), 'other')
    expect(await bucket.output('sync-from', 'p/', 'target', '--quiet')).toBe('')
    expect(await readTree(target)).toEqual({ a: 'one', 'b/c': 'two' })
    expect(await bucket.output('sync-from', 'p/b/c', '.', '-v')).toContain('fetch p/b/c (new, 3)')
    expect(await bucket.output('sync-to', 'source/a', 'p/a')).toBe('0 transferred (0), 1 the same, 0 removed')
  })

  it('show a plan as text and as JSON', async () => {
    await bucket.run(['sync-to', 'source', 'p'])
    await writeTree(source, { a: 'eno', new: '', 'b/c': 'longer' })
    await symlink('a', join(source, 'link'))
    await bucket.run(['sync-to', 'source/a', 'p/z'])
    const words = ['sync-to', 'source', 'p', '--delete', '--dry-run']
    expect(await bucket.output(...words)).toBe(
      [
        'send p/a (content differs, 3)',
        'send p/b/c (size differs, 6)',
        'pass over p/link (a symbolic link)',
        'send p/new (new, 0)',
        'remove p/z (not in the source, 3)',
        '3 to be transferred (9), 0 the same, 1 to be removed, 1 passed over (links, devices)',
      ].join('\n'),
    )
    expect(await bucket.json(...words)).toEqual({
      transferred: 3,
      'transferred-bytes': 9,
      same: 0,
      removed: 1,
      'passed-over': 1,
      failed: 0,
      'dry-run': true,
      entries: [
        { action: 'send', key: 'p/a', path: join(source, 'a'), size: 3, reason: 'content differs' },
        { action: 'send', key: 'p/b/c', path: join(source, 'b/c'), size: 6, reason: 'size differs' },
        { action: 'pass over', key: 'p/link', path: join(source, 'link'), size: 0, reason: 'a symbolic link' },
        { action: 'send', key: 'p/new', path: join(source, 'new'), size: 0, reason: 'new' },
        { action: 'remove', key: 'p/z', path: join(source, 'z'), size: 3, reason: 'not in the source' },
      ],
    })
    expect(await bucket.json('sync-to', 'source', 'p', '--delete')).toMatchObject({ transferred: 3, removed: 1 })
    expect(await bucket.output('list')).toBe('p/a\np/b/c\np/new')
  })

  it('say in one line what is wrong, with the exit code for it', async () => {
    await mkdir(join(bucket.folder, 'empty'))
    await bucket.run(['sync-to', 'source', 'p'])
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [['sync-to', 'none'], 3, 'none: there is no such file or folder'],
      [['sync-to', 'empty', 'p', '--delete'], 2, 'empty holds nothing, and removing all that the target holds was not'],
      [['sync-from', 'none', 'x'], 3, 'there is no object none'],
      [['sync-from', 'p', 'x'], 3, 'there is no object p; what is below it is p/'],
      [['sync-from', 'none/', 'x'], 3, 'there is nothing in none/'],
      [['sync-from', 'none/', 'source', '--delete'], 2, 'none/ holds nothing, and removing all that the target holds'],
      [['sync-from', 'p/a', 'source/b/c/d'], 2, 'source/b/c: it is no folder'],
      [['sync-to'], 2, "found missing required argument 'FILE|FOLDER'"],
      [['sync-from', 'p/'], 2, "found missing required argument 'FILE|FOLDER'"],
    ]
    for (const [words, code, line] of cases) {
      const { exitCode, stdout, stderr } = await bucket.run(words)
      expect({ words, exitCode, stdout }).toEqual({ words, exitCode: code, stdout: '' })
      expect(stderr.split('\n')[0]).toContain(line)
    }
    expect(await readTree(source)).toEqual({ a: 'one', 'b/c': 'two' })
    expect(await bucket.output('list')).toBe('p/a\np/b/c')
  })

  it('go on after single failures, name each, and exit with 1', async () => {
    await mkdir(join(target, 'a'), { recursive: true })
    await symlink(source, join(target, 'b'))
    await bucket.run(['sync-to', 'source', 'p'])
    await bucket.run(['sync-to', 'source/a', 'p/fine'])
    const { exitCode, stdout, stderr } = await bucket.run(['sync-from', 'p/', 'target', '--delete'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '1 transferred (3), 0 the same, 0 removed, 2 failed' })
    expect(stderr.split('\n')).toEqual([
      `bucket: p/a: ${join(target, 'a')} is a folder`,
      `bucket: p/b/c: ${join(target, 'b')} is a symbolic link`,
    ])
    expect(await readTree(source)).toEqual({ a: 'one', 'b/c': 'two' })
  })

  it('tell programs how far they are', async () => {
    const { exitCode, stderr } = await bucket.run(['sync-to', 'source', 'p', '--progress', 'json'])
    expect(exitCode).toBe(0)
    const lines = stderr.split('\n').map(line => JSON.parse(line) as unknown)
    expect(lines.at(-1)).toEqual({ name: expect.stringMatching(/^p\//), done: 6, total: 6 })
    expect((await bucket.run(['sync-to', 'source', 'q', '--progress', 'never'])).stderr).toBe('')
  })
})
