import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BucketCommand, commandStores } from '../support/bucket-command.js'
import { pattern } from '../support/bytes.js'

const MIB = 1024 ** 2

describe.each(await commandStores())('bucket put and get on %s', (_, open) => {
  let bucket: BucketCommand
  const at = (name: string) => join(bucket.folder, name)
  beforeAll(async () => {
    bucket = await open()
    await writeFile(at('face.jpg'), pattern(5000))
  })
  afterAll(() => bucket.dispose())

  it('store a file under its name, another key, below a prefix, and several', async () => {
    expect(await bucket.output('put', 'face.jpg')).toBe('face.jpg is stored (4.9K)')
    expect(await bucket.json('put', 'face.jpg', 'a/b.jpg')).toMatchObject({
      key: 'a/b.jpg',
      size: 5000,
      'content-type': 'image/jpeg',
    })
    await bucket.output('put', './face.jpg', 'dir/')
    await bucket.output('put', '--prefix', 'classA', 'face.jpg', 'blue')
    await writeFile(at('x'), 'x')
    await writeFile(at('y'), 'y')
    await bucket.output('put', '--files', '--prefix=many', 'x', 'y', '--quiet')
    await bucket.output('put', 'x', 'y', 'face.jpg', '--prefix', 'more')
    const keys = ['a/b.jpg', 'classA/blue', 'dir/face.jpg', 'face.jpg', 'many/x', 'many/y', 'more/face.jpg', 'more/x']
    expect((await bucket.output('list')).split('\n')).toEqual([...keys, 'more/y'])
  })

  it('take standard input and give standard output', async () => {
    const { exitCode, stdout } = await bucket.run(['put', '-', 'piped', '--content-type', 'text/x-sql'], {
      input: 'words',
    })
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'piped is stored (5)' })
    expect(await bucket.output('get', 'piped', '-')).toBe('words')
    expect(await bucket.output('get', 'piped', '-', '--start-byte', '1', '--end-byte', '3')).toBe('ord')
    expect(await bucket.json('info', 'piped')).toMatchObject({ size: 5, 'content-type': 'text/x-sql' })
  })

  it('keep headers and metadata', async () => {
    const flags = [
      '--meta',
      'Camera=M6',
      '-d',
      'x-amz-meta-film=400',
      '-d',
      'Cache-Control=no-cache',
      '-d',
      'purpose=x',
    ]
    await bucket.output('put', 'face.jpg', 'meta', ...flags, '--content-disposition', 'inline')
    expect(await bucket.json('info', 'meta')).toMatchObject({
      'cache-control': 'no-cache',
      'content-disposition': 'inline',
      'content-type': 'image/jpeg',
      metadata: { camera: 'M6', film: '400', purpose: 'x' },
    })
  })

  it('fetch into a file, a folder, and folders that are made', async () => {
    await bucket.output('put', 'face.jpg', 'get/face.jpg')
    await mkdir(at('there'))
    expect(await bucket.output('get', 'get/face.jpg', 'there')).toBe(`${at('there/face.jpg')} is fetched (4.9K)`)
    await bucket.output('get', 'get/face.jpg', 'made/for/it.jpg')
    await bucket.output('get', 'get/face.jpg')
    await bucket.output('get', 'face.jpg', 'new/', '--prefix', 'get')
    for (const path of ['there/face.jpg', 'made/for/it.jpg', 'get/face.jpg', 'new/face.jpg'])
      expect((await readFile(at(path))).equals(pattern(5000))).toBe(true)
    await chmod(at('get/face.jpg'), 0o6600)
    await bucket.output('get', 'get/face.jpg', '--start-byte=10', '--end-byte=100')
    expect(await readFile(at('get/face.jpg'))).toEqual(pattern(5000).subarray(10, 101))
    expect((await stat(at('get/face.jpg'))).mode & 0o7777).toBe(0o600)
  })

  it('move folders', async () => {
    await mkdir(at('tree/sub'), { recursive: true })
    for (const name of ['one', 'sub/two']) await writeFile(at(`tree/${name}`), name)
    expect((await bucket.output('put-dir', 'tree', 'T')).split('\n').sort()).toEqual([
      '2 objects (10) stored',
      'T/one',
      'T/sub/two',
    ])
    expect(await bucket.json('get-dir', 'T', 'back')).toEqual({ objects: 2, size: 10, failures: [] })
    expect((await readdir(at('back'), { recursive: true })).sort()).toEqual(['one', 'sub', 'sub/two'])
    await bucket.output('get-all', 'all', '--prefix', 'T/sub')
    expect(await readdir(at('all'))).toEqual(['two'])
  })

  it('fetch what one folder can hold: an object, not those below its key', async ({ skip }) => {
    if (bucket.server === undefined) skip('a folder has no such keys')
    for (const key of ['N/a', 'N/a.txt', 'N/a/b', 'N/a/b/c']) await bucket.output('put', 'face.jpg', key)
    const { exitCode, stderr } = await bucket.run(['get-dir', 'N', 'nested', '-q'])
    const why = 'N/a is an object, too, so it can be no folder'
    expect({ exitCode, stderr: stderr.split('\n').sort() }).toEqual({
      exitCode: 2,
      stderr: [`bucket: N/a/b/c: ${why}`, `bucket: N/a/b: ${why}`],
    })
    expect((await readdir(at('nested'))).sort()).toEqual(['a', 'a.txt'])
  })

  it('write nothing outside of the folder, whatever links stand in it', async () => {
    for (const key of ['L/a/x', 'L/b', 'L/c/y', 'L/fine']) await bucket.run(['put', '-', key], { input: '' })
    await mkdir(at('links'))
    await mkdir(at('outside'))
    await writeFile(at('outside/b'), 'kept')
    for (const [link, target] of [
      ['a', 'outside'],
      ['b', 'outside/b'],
      ['c', 'outside/made'],
    ] as const)
      await symlink(at(target), at(`links/${link}`))
    await symlink(at('links'), at('way'))
    const { exitCode, stdout, stderr } = await bucket.run(['get-dir', 'L', 'way', '-q'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr.split('\n').sort()).toEqual([
      `bucket: L/a/x: ${at('links/a')} is a symbolic link`,
      `bucket: L/b: ${at('links/b')} is a symbolic link`,
      `bucket: L/c/y: ${at('links/c')} is a symbolic link`,
    ])
    expect(await readdir(at('outside'))).toEqual(['b'])
    expect(await readFile(at('outside/b'), 'utf8')).toBe('kept')
    expect(await readFile(at('links/fine'), 'utf8')).toBe('')
  })

  it('tell how far they are, as lines of JSON', async () => {
    await writeFile(at('long'), pattern(9 * MIB))
    const { stderr, exitCode } = await bucket.run(['put', 'long', '--progress', 'json', '-q'])
    const lines = stderr.split('\n').map(line => JSON.parse(line) as unknown)
    expect(lines.at(-1)).toEqual({ name: 'long', done: 9 * MIB, total: 9 * MIB })
    expect(exitCode).toBe(0)
  })

  it.each([
    [['put', 'none'], 3, /^bucket: \/.*none: there is no such file or folder$/],
    [['put', 'there'], 2, /^bucket: \/.*there: it is a folder \(put-dir, putFolder\)$/],
    [['put', '-'], 2, /^bucket: put: expected a KEY for standard input, found none\n/],
    [['put', 'face.jpg', 'k', '--meta', 'x'], 2, /^bucket: --meta: expected NAME=VALUE, found "x"\n/],
    [['put-dir', 'none'], 3, /^bucket: \/.*none: there is no such file or folder$/],
    [['put-dir', 'face.jpg'], 2, /^bucket: \/.*face.jpg: it is no folder$/],
    [['get', 'no/key', 'x-file'], 3, /^bucket: .*\bno\/key\b/],
    [['get', 'face.jpg', 'f', '--start-byte', '5000'], 2, /^bucket: face.jpg: the range begins at 5000 of 5000 bytes$/],
    [
      ['get', 'face.jpg', 'f', '--start-byte', '9', '--end-byte', '8'],
      2,
      /^bucket: face.jpg: bytes 9 to 8 are no range$/,
    ],
    [['get', 'face.jpg', 'face.jpg/x'], 2, /^bucket: \/.*face.jpg: it is no folder$/],
    [['get', '../up'], 2, /^bucket: get: expected a FILE for the key "..\/up", which is no path, found none\n/],
    [['get-dir', 'get', 'face.jpg'], 2, /^bucket: \/.*face.jpg: it is no folder$/],
    [['get-dir', 'nothing'], 3, /^bucket: no key begins with "nothing\/"$/],
  ])('%j is refused with %d', async (words, exitCode, message) => {
    const result = await bucket.run(words)
    expect(result.stderr).toMatch(message)
    expect(result).toMatchObject({ exitCode, stdout: '' })
    expect(await readdir(bucket.folder)).not.toContain('x-file')
  })
})
