import { mkdir, opendir, readdir, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { inParallel } from '../support/store-tools.js'
import { open } from './opened-file.js'
import { codeOf, type PosixTests } from './posix-context.js'

/** More than one page of a listing. */
const MANY = 1_100
const WIDTH = 16

export const DIRECTORY_TESTS = {
  'mkdir makes a folder that is listed and empty': async t => {
    await mkdir(t.path('d'), { mode: 0o750 })
    const status = await stat(t.path('d'))
    expect([status.isDirectory(), status.mode & 0o777]).toEqual([true, 0o750])
    expect(await t.names()).toEqual(['d'])
    expect(await t.names('d')).toEqual([])
    expect(await t.sh('ls -a d')).toBe('.\n..\n')
  },
  'mkdir fails where something is, or nothing above': async t => {
    await mkdir(t.path('d'))
    await writeFile(t.path('f'), '')
    expect(await codeOf(mkdir(t.path('d')))).toBe('EEXIST')
    expect(await codeOf(mkdir(t.path('f')))).toBe('EEXIST')
    expect(await codeOf(mkdir(t.path('no', 'd')))).toBe('ENOENT')
    expect(await codeOf(mkdir(t.path('f', 'd')))).toBe('ENOTDIR')
  },
  'mkdir over an open file that is not stored yet is EEXIST': async t => {
    const handle = await open(t.path('f'), 'wx')
    expect(await codeOf(mkdir(t.path('f')))).toBe('EEXIST')
    await handle.close()
  },
  'rmdir removes an empty folder only': async t => {
    await mkdir(t.path('d', 'e'), { recursive: true })
    await writeFile(t.path('f'), '')
    expect(await codeOf(rmdir(t.path('d')))).toBe('ENOTEMPTY')
    await rmdir(t.path('d', 'e'))
    await rmdir(t.path('d'))
    expect(await codeOf(stat(t.path('d')))).toBe('ENOENT')
    expect(await codeOf(rmdir(t.path('d')))).toBe('ENOENT')
    expect(await codeOf(rmdir(t.path('f')))).toBe('ENOTDIR')
    expect(await t.names()).toEqual(['f'])
  },
  'rmdir of a folder with a file that is not stored yet is ENOTEMPTY': async t => {
    await mkdir(t.path('d'))
    const handle = await open(t.path('d', 'f'), 'wx')
    expect(await codeOf(rmdir(t.path('d')))).toBe('ENOTEMPTY')
    await handle.close()
    expect(await codeOf(rmdir(t.path('d')))).toBe('ENOTEMPTY')
    await unlink(t.path('d', 'f'))
    await rmdir(t.path('d'))
  },
  'a folder can be removed and made again, also as a file': async t => {
    await mkdir(t.path('x'))
    await rmdir(t.path('x'))
    await writeFile(t.path('x'), 'file')
    expect(await t.text('x')).toBe('file')
    await unlink(t.path('x'))
    await mkdir(t.path('x'))
    await writeFile(t.path('x', 'y'), 'inner')
    expect(await t.text('x', 'y')).toBe('inner')
  },
  'a folder stays when the last file in it goes': async t => {
    await mkdir(t.path('d', 'e'), { recursive: true })
    await writeFile(t.path('d', 'e', 'f'), '')
    await unlink(t.path('d', 'e', 'f'))
    expect((await stat(t.path('d', 'e'))).isDirectory()).toBe(true)
    expect(await t.names('d')).toEqual(['e'])
    expect(await t.names('d', 'e')).toEqual([])
  },
  'unlink of a folder is EISDIR': async t => {
    await mkdir(t.path('d'))
    expect(await codeOf(unlink(t.path('d')))).toBe('EISDIR')
  },
  'readdir tells names and types': async t => {
    await mkdir(t.path('d'))
    await writeFile(t.path('f'), '')
    const handle = await open(t.path('new'), 'wx')
    const entries = await readdir(t.path(), { withFileTypes: true })
    await handle.close()
    const types = entries.map(
      entry => `${entry.name} ${entry.isDirectory() ? 'folder' : ''}${entry.isFile() ? 'file' : ''}`,
    )
    expect(types.sort()).toEqual(['d folder', 'f file', 'new file'])
  },
  'readdir follows what is made and removed': async t => {
    expect(await t.names()).toEqual([])
    await writeFile(t.path('a'), '')
    await mkdir(t.path('b'))
    expect(await t.names()).toEqual(['a', 'b'])
    await unlink(t.path('a'))
    await writeFile(t.path('c'), '')
    expect(await t.names()).toEqual(['b', 'c'])
    await rmdir(t.path('b'))
    expect(await t.names()).toEqual(['c'])
  },
  'a name that was removed and made again is listed once, before its close too': async t => {
    await t.sh('echo 1 > a; echo 2 > b; ls > /dev/null; rm a')
    const handle = await open(t.path('a'), 'wx')
    expect(await t.sh('ls')).toBe('a\nb\n')
    await handle.close()
    expect(await t.sh('ls')).toBe('a\nb\n')
  },
  'inode numbers of readdir and stat agree': async t => {
    await t.sh('mkdir d; echo 1 > f; echo 2 > g')
    const listed = 'sorted((e.name, e.inode()) for e in os.scandir("."))'
    const asked = 'sorted((n, os.stat(n).st_ino) for n in os.listdir("."))'
    expect(await t.python(`print(${listed} == ${asked} and len({i for _, i in ${listed}}) == 3)`)).toBe('True\n')
  },
  'a folder of many entries is listed in full, each once': async t => {
    const names = Array.from({ length: MANY }, (_, i) => `entry-${String(i).padStart(5, '0')}`)
    await t.python(`
for i in range(${MANY}):
  with open(f"entry-{i:05}", "w") as f: f.write(f.name)`)
    expect(await t.names()).toEqual(names)
    expect(await t.sh('ls -l | tail -n +2 | wc -l; cat entry-* | wc -c')).toBe(`${MANY}\n${MANY * 11}\n`)
    await t.sh('rm -r -- ./*')
    expect(await t.names()).toEqual([])
  },
  'what stays is listed once while other entries come and go': async t => {
    const kept = Array.from({ length: 150 }, (_, i) => `kept-${i}`)
    const gone = Array.from({ length: 150 }, (_, i) => `gone-${i}`)
    await inParallel([...kept, ...gone], WIDTH, name => writeFile(t.path(name), ''))
    const seen: string[] = []
    for await (const entry of await opendir(t.path(), { bufferSize: 8 })) {
      seen.push(entry.name)
      const next = gone.pop()
      if (next !== undefined) await unlink(t.path(next))
      if (seen.length % 10 === 0) await writeFile(t.path(`new-${seen.length}`), '')
    }
    expect(seen.filter(name => name.startsWith('kept')).sort()).toEqual(kept.sort())
  },
  'deep trees are made, walked and removed': async t => {
    const names = Array.from({ length: 20 }, (_, i) => `level${i}`)
    await mkdir(t.path(...names), { recursive: true })
    await writeFile(t.path(...names, 'f'), 'deep')
    expect(await t.sh('find . -type d | wc -l; find . -name f -exec cat {} +')).toBe('21\ndeep')
    await rm(t.path('level0'), { recursive: true })
    expect(await t.names()).toEqual([])
  },
  'dots lead where they should': async t => {
    await t.sh('mkdir -p a/b; echo text > a/f')
    expect(await t.sh('cat a/b/../f; cat a/./f; cd a/b; cat ../f; ls ..')).toBe('text\ntext\ntext\nb\nf\n')
    expect(await t.python('print(os.stat("a/b/..").st_ino == os.stat("a").st_ino)')).toBe('True\n')
  },
  'the time of a folder moves with its entries': async t => {
    await mkdir(t.path('d'))
    await t.sh('touch -d @1000000000 d')
    const changed = async () => (await stat(t.path('d'))).mtimeMs > 1e12
    expect(await changed()).toBe(false)
    await writeFile(t.path('d', 'f'), '')
    expect(await changed()).toBe(true)
    await t.sh('touch -d @1000000000 d')
    await unlink(t.path('d', 'f'))
    expect(await changed()).toBe(true)
  },
} satisfies PosixTests
