import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash, randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { fuseChildren } from '../support/fuse-child.js'
import { canMount } from '../support/mount-driver.js'

const run = promisify(execFile)

/** Reads with O_DIRECT: such a read is a request of its own program, which the kernel interrupts with it. */
const READ_DIRECTLY = `
import mmap, os, signal, sys
for word in sys.argv[2:]:
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
os.readv(os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), [mmap.mmap(-1, 4096)])
`

function readDirectly(path: string, ...words: readonly string[]): ChildProcess {
  return spawn('python3', ['-c', READ_DIRECTLY, path, ...words], { stdio: 'ignore' })
}

async function endOf(program: ChildProcess): Promise<NodeJS.Signals | number | null> {
  const [code, signal] = (await once(program, 'exit')) as [number | null, NodeJS.Signals | null]
  return signal ?? code
}

describe.skipIf(!canMount())('the kernel transport', () => {
  const mounted = fuseChildren()

  it('carries names, attributes and data', async () => {
    const mount = await mounted()
    await mkdir(mount.path('folder'))
    await writeFile(mount.path('folder', 'a'), 'hello')
    await rename(mount.path('folder', 'a'), mount.path('b'))
    expect(await readFile(mount.path('b'), 'utf8')).toBe('hello')
    await truncate(mount.path('b'), 2)
    await run('touch', ['-a', '-d', '@5', mount.path('b')])
    await run('touch', ['-m', '-d', '@-7.5', mount.path('b')])
    const { size, mtimeMs, atimeMs } = await stat(mount.path('b'))
    expect({ size, mtimeMs, atimeMs }).toEqual({ size: 2, mtimeMs: -7500, atimeMs: 5000 })
    await rm(mount.path('folder'), { recursive: true })
    await unlink(mount.path('b'))
    expect(await readdir(mount.mountPoint)).toEqual([])
    expect(await readFile('/proc/mounts', 'utf8')).toContain(
      `mem://test,with\\134comma ${mount.mountPoint} fuse.mount-bucket rw,nosuid,nodev`,
    )
  })

  it('refuses what the filesystem has not', async () => {
    const mount = await mounted()
    await writeFile(mount.path('f'), '')
    await expect(run('ln', [mount.path('f'), mount.path('link')])).rejects.toThrow('Operation not permitted')
    mount.send('replace', 'fails', 'x')
    await mount.next('replaced')
    await expect(readFile(mount.path('fails'))).rejects.toMatchObject({ code: 'EIO' })
    expect(await mount.next('log error')).toContain('not readable')
  })

  it('reads and writes large files whole, also several at once', async () => {
    const mount = await mounted()
    const block = randomFillSync(Buffer.alloc((1 << 20) + 12_345))
    const blocks = 150
    const sent = createHash('sha256')
    for (let i = 0; i < blocks; i++) sent.update(block)
    const digest = sent.digest('hex')
    const copy = async (name: string) => {
      const source = Readable.from(Array.from({ length: blocks }, () => block))
      await pipeline(source, createWriteStream(mount.path(name), { highWaterMark: 4 << 20 }))
      const received = createHash('sha256')
      const reader = await open(mount.path(name))
      // Dropped from the page cache, so that it comes from the filesystem.
      await run('dd', [`of=${mount.path(name)}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'])
      for await (const chunk of createReadStream('', { fd: reader, highWaterMark: 4 << 20 })) received.update(chunk)
      return received.digest('hex')
    }
    expect(await Promise.all([copy('one'), copy('two')])).toEqual([digest, digest])
  })

  it('lists 2,000 files with their attributes and answers 500 questions at once', async () => {
    const mount = await mounted({ ttlMs: 0 })
    for (let i = 0; i < 2000; i += 100)
      await Promise.all(Array.from({ length: 100 }, (_, j) => writeFile(mount.path(`file${i + j}`), String(i + j))))
    const { stdout } = await run('ls', ['-l', mount.mountPoint])
    expect(stdout.trim().split('\n').slice(1)).toHaveLength(2000)
    expect(new Set(await readdir(mount.mountPoint)).size).toBe(2000)
    const sizes = await Promise.all(
      Array.from({ length: 500 }, async (_, i) => (await stat(mount.path(`file${i}`))).size),
    )
    expect(sizes).toEqual(Array.from({ length: 500 }, (_, i) => String(i).length))
  })

  it('ends a call at once when its program is killed', async () => {
    const mount = await mounted()
    mount.send('replace', 'slow', 'x')
    await mount.next('replaced')
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSEGV'] as const) {
      const reader = readDirectly(mount.path('slow'))
      await mount.next('waiting')
      reader.kill(signal)
      expect(await endOf(reader)).toBe(signal)
      await mount.next('aborted')
    }
  })

  it('leaves a call alone when its program handles a signal, and sees the kill that follows', async () => {
    const mount = await mounted()
    mount.send('replace', 'slow', 'x')
    await mount.next('replaced')
    const reader = readDirectly(mount.path('slow'), 'alarm')
    await mount.next('waiting')
    // The alarms began before the read; several INTERRUPTs have been asked for again by now.
    await new Promise(resolve => setTimeout(resolve, 500))
    expect(reader.exitCode).toBeNull()
    reader.kill('SIGTERM')
    expect(await endOf(reader)).toBe('SIGTERM')
    await mount.next('aborted')
  })

  it('goes on after more writes were waiting than it holds', async () => {
    const mount = await mounted()
    const writers = Array.from({ length: 40 }, (_, i) =>
      run('dd', ['if=/dev/zero', `of=${mount.path(`stuck${i}`)}`, 'bs=1M', 'count=1']),
    )
    for (let i = 0; i < 30; i++) await mount.next('stuck')
    const open = setInterval(() => mount.send('go'), 20)
    await Promise.all(writers)
    clearInterval(open)
    const sizes = await Promise.all(writers.map(async (_, i) => (await stat(mount.path(`stuck${i}`))).size))
    expect(new Set(sizes)).toEqual(new Set([1 << 20]))
  })

  it('tells the kernel what to forget', async () => {
    const mount = await mounted({ ttlMs: 3_600_000 })
    await expect(stat(mount.path('later'))).rejects.toMatchObject({ code: 'ENOENT' })
    mount.send('replace', 'later', 'one')
    await mount.next('replaced')
    await waitFor(async () => (await sizeOf(mount.path('later'))) === 3)
    mount.send('replace', 'later', 'seven..')
    await mount.next('replaced')
    await waitFor(async () => (await sizeOf(mount.path('later'))) === 7)
    expect(await readFile(mount.path('later'), 'utf8')).toBe('seven..')
  })

  it('finds out who holds a file open for writing', async () => {
    const mount = await mounted()
    await writeFile(mount.path('f'), '')
    const { ino } = await stat(mount.path('f'))
    const held = async () => {
      mount.send('held', String(process.pid), String(ino))
      return mount.next('held')
    }
    expect(await held()).toBe('held false')
    const reader = await open(mount.path('f'), 'r')
    expect(await held()).toBe('held false')
    const writer = await open(mount.path('f'), 'r+')
    expect(await held()).toBe('held true')
    await writer.close()
    await reader.close()
    expect(await held()).toBe('held false')
  })

  it('refuses to unmount while in use, and ends by itself when unmounted from outside', async () => {
    const mount = await mounted()
    const file = await open(mount.path('f'), 'w')
    mount.send('unmount')
    expect(await mount.next('refused')).toBe('refused EBUSY')
    await file.close()
    await run('umount', [mount.mountPoint])
    await mount.next('ended')
    expect(await mount.next('exit')).toBe('exit 0')
  })

  it('is unmounted lazily while in use, and ends with the last user', async () => {
    const mount = await mounted()
    const file = await open(mount.path('f'), 'w+')
    mount.send('unmount-lazy')
    await waitFor(async () => !(await readFile('/proc/mounts', 'utf8')).includes(mount.mountPoint))
    await file.write('still here')
    expect((await file.stat()).size).toBe(10)
    await file.close()
    await mount.next('ended')
    expect(await mount.next('exit')).toBe('exit 0')
  })

  it('does not keep a process from exiting, even in the middle of a call', async () => {
    const mount = await mounted()
    mount.send('replace', 'slow', 'x')
    await mount.next('replaced')
    const read = endOf(readDirectly(mount.path('slow')))
    await mount.next('waiting')
    mount.send('exit')
    expect(await mount.next('exit')).toBe('exit 0')
    expect(await read).toBe(1)
  })

  it('does not keep a process from exiting while a notification waits in the kernel', async () => {
    const mount = await mounted()
    // An unanswered mkdir holds the folder's lock, which the notification waits for.
    const made = endOf(spawn('mkdir', [mount.path('stuck')], { stdio: 'ignore' }))
    await mount.next('stuck')
    mount.send('replace', 'new', 'x')
    await mount.next('replaced')
    mount.send('exit')
    expect(await mount.next('exit')).toBe('exit 0')
    expect(await made).toBe(1)
    expect(await readFile('/proc/mounts', 'utf8')).not.toContain(mount.mountPoint)
  })

  it('serves an ordinary user by fusermount3', async () => {
    const mount = await mounted({ asNobody: true, options: ['noexec', 'allow_other'] })
    const { mountPoint } = mount
    expect(await mount.inside(`echo hello > ${mountPoint}/f; cat ${mountPoint}/f; stat -c %u ${mountPoint}/f`)).toBe(
      'hello\n65534\n',
    )
    expect(await mount.inside('cat /proc/mounts')).toMatch(
      new RegExp(
        `^mem://test,with\\\\134comma ${mountPoint} fuse.mount-bucket rw,nosuid,nodev,noexec,.*user_id=65534`,
        'm',
      ),
    )
    mount.send('unmount')
    await mount.next('ended')
    expect(await mount.next('exit')).toBe('exit 0')
  })

  it('serves whom the options name', async () => {
    const list = async (...options: readonly string[]) => {
      const { mountPoint } = await mounted({ options })
      return run('setpriv', ['--reuid', '65534', '--clear-groups', 'ls', mountPoint])
    }
    expect(await list('allow_other')).toMatchObject({ stdout: '' })
    await expect(list('allow_root')).rejects.toThrow('Permission denied')
    await expect(list()).rejects.toThrow('Permission denied')
  })

  it('raises how far the kernel reads ahead', async () => {
    const { mountPoint } = await mounted()
    const line = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').find(text => text.includes(mountPoint))
    expect(await readFile(`/sys/class/bdi/${line?.split(' ')[2]}/read_ahead_kb`, 'utf8')).toBe('1024\n')
  })

  it('mounts read-only', async () => {
    const mount = await mounted({ options: ['ro', 'noexec'] })
    await expect(writeFile(mount.path('f'), '')).rejects.toMatchObject({ code: 'EROFS' })
    expect(await readFile('/proc/mounts', 'utf8')).toContain(
      `${mount.mountPoint} fuse.mount-bucket ro,nosuid,nodev,noexec`,
    )
  })
})

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch {
    return undefined
  }
}

/** Until a notification has reached the kernel, which nobody is told of. */
async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setTimeout(resolve, 5))
}
