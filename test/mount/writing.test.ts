import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PosixContext } from '../posix/posix-context.js'
import { HeldProgram } from '../support/held-program.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { contentOf, testBytes } from '../support/store-tools.js'

const mounts = mountsOfThisFile()

/** What reading and looking costs is counted elsewhere. */
const READING = new Set(['HeadObject', 'GetObject', 'ListObjectsV2'])

const ONE_PUT = { PutObject: 1 }
const NOTHING = {}

/** Each writes `f`: once when there is none, and once more over it. */
const PROGRAMS: readonly Program[] = [
  { title: 'date > f', script: 'date -u -d @0 +%s > f', content: '0\n' },
  { title: 'a list of commands', script: '(echo a; echo b; sh -c "echo c") > f', content: 'a\nb\nc\n' },
  { title: 'a loop', script: 'for i in 1 2 3; do sh -c "echo $i"; done > f', content: '1\n2\n3\n' },
  { title: 'tee', script: 'echo a | tee f > /dev/null', content: 'a\n' },
  { title: 'an empty file', script: ': > f', content: '' },
  { title: 'touch', script: 'touch f', content: '', again: { CopyObject: 1 } },
  { title: 'cp', script: 'echo text | cp /dev/stdin f', content: 'text\n' },
  { title: 'dd in small blocks', script: 'printf 123456789 | dd of=f bs=2 status=none', content: '123456789' },
  { title: 'dd conv=fsync', script: 'echo text | dd of=f conv=fsync status=none', content: 'text\n' },
  { title: 'sort > f', script: 'printf "b\\na\\n" | sort > f', content: 'a\nb\n' },
]

interface Program {
  readonly title: string
  readonly script: string
  readonly content: string
  /** What it costs over an existing file; default one PUT as well. */
  readonly again?: Readonly<Record<string, number>>
}

describe.skipIf(!canMount())('what writing costs', () => {
  let s3: OwnS3
  let driver: Driver
  let folders = 0

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    driver = await s3.mount(['--part-size', '5M'])
    const warmUp = new PosixContext(driver.mountPoint)
    // The first use of a condition finds out whether the server keeps it.
    await warmUp.sh('echo 1 > a; echo 2 >> a; chmod 600 a; mv a b; rm b; head -c 6000000 /dev/zero > c; rm c')
    // With noclobber the file is made with O_EXCL.
    await warmUp.sh('set -C; head -c 6000000 /dev/zero > c; rm c')
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  async function fresh(): Promise<PosixContext> {
    const name = `w${++folders}`
    await mkdir(driver.path(name))
    return new PosixContext(driver.path(name))
  }

  async function changes(task: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    const requests = Object.entries(await s3.requestsDuring(task))
    return Object.fromEntries(requests.filter(([name]) => !READING.has(name)))
  }

  /** What a name of the fresh folder is in the bucket. */
  async function stored(name: string): Promise<string> {
    return (await contentOf(s3.store, `w${folders}/${name}`)).toString()
  }

  for (const { title, script, content, again } of PROGRAMS)
    test(`${title} is one PUT`, async () => {
      const context = await fresh()
      expect(await changes(() => context.sh(script))).toEqual(ONE_PUT)
      expect(await stored('f')).toBe(content)
      expect(await changes(() => context.sh(script))).toEqual(again ?? ONE_PUT)
      expect(await stored('f')).toBe(content)
    })

  test('sort x > x.sorted is one PUT', async () => {
    const context = await fresh()
    await context.sh('printf "b\\na\\n" > x')
    expect(await changes(() => context.sh('sort x > x.sorted'))).toEqual(ONE_PUT)
    expect(await stored('x.sorted')).toBe('a\nb\n')
  })

  test('sort -o onto its own input is one PUT', async () => {
    const context = await fresh()
    await context.sh('printf "b\\na\\n" > x')
    expect(await changes(() => context.sh('sort -o x x'))).toEqual(ONE_PUT)
    expect(await stored('x')).toBe('a\nb\n')
  })

  test('the output of a child of Python is one PUT', async () => {
    const context = await fresh()
    const script = `
import subprocess
with open("f", "wb") as f:
  f.write(b"head\\n"); f.flush()
  subprocess.Popen(["sh", "-c", "echo a; sh -c 'echo b'; echo c"], stdout=f).wait()
  f.write(b"tail\\n")`
    expect(await changes(() => context.python(script))).toEqual(ONE_PUT)
    expect(await stored('f')).toBe('head\na\nb\nc\ntail\n')
  })

  test('every >> is one PUT of the whole', async () => {
    const context = await fresh()
    expect(await changes(() => context.sh('echo 1 >> f'))).toEqual(ONE_PUT)
    expect(await changes(() => context.sh('echo 2 >> f'))).toEqual(ONE_PUT)
    expect(await changes(() => context.sh('(echo 3; echo 4) >> f'))).toEqual(ONE_PUT)
    expect(await stored('f')).toBe('1\n2\n3\n4\n')
  })

  test('a descriptor that is closed while another is open stores nothing', async () => {
    const context = await fresh()
    await writeFile(context.path('f'), 'old')
    const script = `
a = os.open("f", os.O_WRONLY | os.O_TRUNC)
os.write(a, b"new")
os.close(os.dup(a))
pid = os.fork()
if pid == 0: os._exit(0)
os.waitpid(pid, 0)
hold()
os.close(a)`
    let whileHeld = ''
    const requests = await changes(async () => {
      const program = HeldProgram.python(context.folder, script)
      await program.line()
      whileHeld = await stored('f')
      await program.finish()
    })
    expect(whileHeld).toBe('old')
    expect(requests).toEqual(ONE_PUT)
    expect(await stored('f')).toBe('new')
  })

  test('the bucket shows the old version until the last writer is done', async () => {
    const context = await fresh()
    await writeFile(context.path('f'), 'old')
    const script = 'exec > f; echo one; sh -c "echo two"; echo held >&2; read line; echo three'
    const program = HeldProgram.shell(context.folder, script)
    await program.line()
    expect(await stored('f')).toBe('old')
    expect(await context.text('f')).toBe('one\ntwo\n')
    await program.finish()
    expect(await stored('f')).toBe('one\ntwo\nthree\n')
  })

  test('a file that is made for reading only is stored at its close', async () => {
    const context = await fresh()
    const make = async () => (await open(context.path('f'), constants.O_RDONLY | constants.O_CREAT)).close()
    expect(await changes(make)).toEqual(ONE_PUT)
    expect(await stored('f')).toBe('')
  })

  test('reading a file and closing it stores nothing', async () => {
    const context = await fresh()
    await writeFile(context.path('f'), 'text')
    const requests = await changes(async () => {
      await context.sh('cat f; cat < f; wc f')
      const handle = await open(context.path('f'), 'r+')
      await handle.read(Buffer.alloc(4), 0, 4, 0)
      await handle.sync()
      await handle.close()
    })
    expect(requests).toEqual(NOTHING)
  })

  test('fsync stores once, and close only what came after', async () => {
    const context = await fresh()
    const handle = await open(context.path('f'), 'w')
    await handle.write('one')
    expect(await changes(() => handle.sync())).toEqual(ONE_PUT)
    expect(await stored('f')).toBe('one')
    expect(await changes(() => handle.sync())).toEqual(NOTHING)
    expect(await changes(() => handle.write(' two'))).toEqual(NOTHING)
    expect(await changes(() => handle.close())).toEqual(ONE_PUT)
    expect(await stored('f')).toBe('one two')
  })

  test('attributes that are set while writing travel with the PUT', async () => {
    const context = await fresh()
    await context.sh('echo text > a; chmod 640 a; touch -d @1000 a; chown 12:34 a')
    expect(await changes(() => context.sh('cp -p a b'))).toEqual(ONE_PUT)
    const { metadata } = await s3.store.head(`w${folders}/b`)
    expect(metadata).toMatchObject({ mode: String(0o100640), uid: '12', gid: '34', mtime: '1000' })
    await context.sh('mkdir x')
    expect(await changes(() => context.sh('tar --format=posix -cf - a b | tar -xf - -C x'))).toEqual({ PutObject: 2 })
    expect(await context.sh('stat -c "%a %u %g %Y" x/a x/b')).toBe('640 12 34 1000\n640 12 34 1000\n')
  })

  test('attributes of a stored file are one copy, and none if nothing changes', async () => {
    const context = await fresh()
    await context.sh('echo text > f')
    expect(await changes(() => context.sh('chmod 604 f'))).toEqual({ CopyObject: 1 })
    expect(await changes(() => context.sh('chmod 604 f'))).toEqual(NOTHING)
    expect(await changes(() => context.sh('touch -d @5 f'))).toEqual({ CopyObject: 1 })
    expect(await stored('f')).toBe('text\n')
    expect((await s3.store.head(`w${folders}/f`)).metadata).toMatchObject({ mode: String(0o100604), mtime: '5' })
  })

  test('truncate by path is stored when it returns', async () => {
    const context = await fresh()
    await writeFile(context.path('f'), 'some text')
    expect(await changes(() => truncate(context.path('f'), 4))).toEqual(ONE_PUT)
    expect(await stored('f')).toBe('some')
  })

  test('a rename of a stored file is a copy and a delete, of an unstored one nothing', async () => {
    const context = await fresh()
    await writeFile(context.path('a'), 'text')
    expect(await changes(() => context.sh('mv a b'))).toEqual({ CopyObject: 1, DeleteObject: 1 })
    expect(await stored('b')).toBe('text')
    const handle = await open(context.path('c'), 'wx')
    await handle.write('new')
    expect(await changes(() => context.sh('mv c d'))).toEqual(NOTHING)
    expect(await changes(() => handle.close())).toEqual(ONE_PUT)
    expect(await stored('d')).toBe('new')
  })

  test('an unlinked file that was never stored costs nothing', async () => {
    const context = await fresh()
    expect(await changes(() => context.sh('exec 3> f; echo text >&3; rm f; exec 3>&-'))).toEqual(NOTHING)
  })

  test('a larger file is one upload of which no part is sent twice', async () => {
    const context = await fresh()
    const bytes = Buffer.from(testBytes(22_000_000))
    const bytesBefore = s3.server.counters().bytesIn.UploadPart ?? 0
    const requests = await changes(() => writeFile(context.path('big'), bytes))
    expect(requests).toEqual({ CreateMultipartUpload: 1, UploadPart: 5, CompleteMultipartUpload: 1 })
    expect((s3.server.counters().bytesIn.UploadPart ?? 0) - bytesBefore).toBe(bytes.length)
    expect((await contentOf(s3.store, `w${folders}/big`)).equals(bytes)).toBe(true)
    expect((await readFile(context.path('big'))).equals(bytes)).toBe(true)
    expect((await stat(context.path('big'))).size).toBe(bytes.length)
  })

  test('a part that is patched before the close is sent again, alone', async () => {
    const context = await fresh()
    const bytes = Buffer.from(testBytes(17_000_000))
    const requests = await changes(async () => {
      const handle = await open(context.path('big'), 'w')
      await handle.writeFile(bytes)
      await handle.write(Buffer.from('PATCH'), 0, 5, 6_000_000)
      await handle.close()
    })
    bytes.write('PATCH', 6_000_000)
    expect(requests).toEqual({ CreateMultipartUpload: 1, UploadPart: 5, CompleteMultipartUpload: 1 })
    expect((await contentOf(s3.store, `w${folders}/big`)).equals(bytes)).toBe(true)
  })

  describe('attributes beside an upload by parts', () => {
    const UPLOAD = { CreateMultipartUpload: 1, UploadPart: 3, CompleteMultipartUpload: 1 }
    const CHANGED = { mode: String(0o100640), uid: '12', gid: '34' }
    const bytes = Buffer.from(testBytes(12_000_000))

    async function own(handle: FileHandle): Promise<void> {
      await handle.chown(12, 34)
      await handle.chmod(0o640)
    }

    async function expectStored(metadata: Readonly<Record<string, string>>): Promise<void> {
      const key = `w${folders}/big`
      expect((await s3.store.head(key)).metadata).toMatchObject(metadata)
      expect((await contentOf(s3.store, key)).equals(bytes)).toBe(true)
    }

    test('are one copy together when they change after it began', async () => {
      const context = await fresh()
      const begun = () => s3.server.counters().requests.CreateMultipartUpload ?? 0
      const before = begun()
      const requests = await changes(async () => {
        const handle = await open(context.path('big'), 'wx')
        await handle.writeFile(bytes)
        await expect.poll(begun).toBe(before + 1)
        await own(handle)
        await handle.utimes(500, 1000)
        await handle.close()
      })
      expect(requests).toEqual({ ...UPLOAD, CopyObject: 1 })
      await expectStored({ ...CHANGED, atime: '500', mtime: '1000' })
    })

    test('are no copy when they changed before it began', async () => {
      const context = await fresh()
      const requests = await changes(async () => {
        const handle = await open(context.path('big'), 'wx')
        await own(handle)
        await handle.utimes(500, 1000)
        await handle.writeFile(bytes)
        await handle.close()
      })
      expect(requests).toEqual(UPLOAD)
      await expectStored(CHANGED)
    })

    test.for([
      ['cp -p', 'cp -p "$1/big" big'],
      ['tar', 'tar -cf - -C "$1" big | tar -xpf -'],
    ])('are one copy after %s', async ([, script = '']) => {
      const source = await mounts.folder()
      await writeFile(join(source, 'big'), bytes)
      await execa('sh', ['-ec', 'chown 12:34 "$1"; chmod 640 "$1"; touch -d @1000 "$1"', 'sh', join(source, 'big')])
      const { folder } = await fresh()
      const requests = await changes(() => execa('sh', ['-ec', script, 'sh', source], { cwd: folder }))
      expect(requests).toEqual({ ...UPLOAD, CopyObject: 1 })
      await expectStored({ ...CHANGED, mtime: '1000' })
    })
  })

  test('a commit that the store refuses fails the close, and the bytes are kept', async () => {
    const context = await fresh()
    await writeFile(context.path('f'), 'old')
    s3.server.setKnobs({ faults: [{ operation: 'PutObject', error: { status: 403, code: 'AccessDenied' } }] })
    try {
      const handle = await open(context.path('f'), 'w')
      await handle.write('new')
      await expect(handle.close()).rejects.toMatchObject({ code: 'EACCES' })
    } finally {
      s3.server.setKnobs({ faults: [] })
    }
    expect(await stored('f')).toBe('old')
    const keptAt = () => /keptAt="([^"]+)"/.exec(driver.log)?.[1]
    // The kernel does not wait for the end of a file that failed to close.
    await expect.poll(keptAt).toBeDefined()
    expect(await context.text('f')).toBe('old')
    expect(await readFile(keptAt() ?? '', 'utf8')).toBe('new')
  })
})
