import { mkdir, open, readdir, readFile, rename, rmdir, stat, unlink, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf, PosixContext } from '../posix/posix-context.js'
import { HeldProgram } from '../support/held-program.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { contentOf, kindOf, listAll, testBytes, text } from '../support/store-tools.js'

const mounts = mountsOfThisFile()
const FOREVER_MS = 3_600_000
const NEVER = ['--timeout', '1h']

/** The numbered statements of the design that hold by now, each shown on real mounts of the own S3. */
describe.skipIf(!canMount())('what a user may rely on', () => {
  let s3: OwnS3
  let here: Driver
  /** Another mount of the same bucket. Neither of the two trusts what it knows. */
  let there: Driver

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    here = await s3.mount(['--metadata-ttl', '0', '--part-size', '5M'])
    there = await s3.mount(['--metadata-ttl', '0', '--read-ahead', '0', '--kernel-read-ahead', '0'])
  })
  afterAll(async () => {
    s3?.server.setKnobs({ faults: [] })
    await mounts.endAll()
    await s3?.stop()
  })

  const stored = async (key: string) => (await contentOf(s3.store, key)).toString()

  describe('1 atomic', () => {
    test('the bucket shows the old version until the close', async () => {
      await s3.store.put('atomic', text('old'))
      const handle = await open(here.path('atomic'), 'w')
      await handle.write('new')
      expect(await stored('atomic')).toBe('old')
      expect(await readFile(there.path('atomic'), 'utf8')).toBe('old')
      await handle.close()
      expect(await stored('atomic')).toBe('new')
    })

    test('a new file is not in the bucket before its close', async () => {
      const handle = await open(here.path('fresh'), 'wx')
      await handle.write('new')
      expect(await kindOf(s3.store.head('fresh'))).toBe('not-found')
      expect(await codeOf(stat(there.path('fresh')))).toBe('ENOENT')
      await handle.close()
      expect(await stored('fresh')).toBe('new')
    })

    test('kill -9 of the driver in mid-upload leaves the old version, and the next mount keeps the bytes', async () => {
      await s3.store.put('killed', text('old'))
      const driver = await s3.mount(['--part-size', '5M', ...NEVER])
      const bytes = Buffer.from(testBytes(12_000_000))
      s3.server.setKnobs({ faults: [{ operation: 'UploadPart', stallMs: FOREVER_MS }] })
      const handle = await open(driver.path('killed'), 'w')
      const before = s3.server.counters().requests.UploadPart ?? 0
      await handle.writeFile(bytes)
      await expect.poll(() => (s3.server.counters().requests.UploadPart ?? 0) - before).toBe(2)
      await expect.poll(() => driver.stagedBytes()).toBe(bytes.length)
      await driver.kill()
      await codeOf(handle.close())
      s3.server.setKnobs({ faults: [] })
      expect(await stored('killed')).toBe('old')

      const { mountPoint, stateDir } = driver
      const next = await s3.mount([], { mountPoint, stateDir })
      expect(await readFile(next.path('killed'), 'utf8')).toBe('old')
      const keptAt = /keptAt="([^"]+)"/.exec(next.log)?.[1] ?? ''
      expect((await readFile(keptAt)).equals(bytes)).toBe(true)
      await writeFile(next.path('killed'), 'new')
      expect(await stored('killed')).toBe('new')
      expect(await next.unmount()).toBe(0)
    })

    test('kill -9 of the driver before a small file was closed leaves the old version', async () => {
      await s3.store.put('small', text('old'))
      const driver = await s3.mount()
      const handle = await open(driver.path('small'), 'r+')
      await handle.write('NEW')
      await driver.kill()
      await codeOf(handle.close())
      expect(await stored('small')).toBe('old')
    })
  })

  describe('2 close means stored', () => {
    test('what close and fsync return from is in the store', async () => {
      const handle = await open(here.path('closed'), 'w')
      await handle.write('one')
      await handle.sync()
      expect(await stored('closed')).toBe('one')
      await handle.write('two')
      await handle.close()
      expect(await stored('closed')).toBe('onetwo')
    })

    test('close and fsync return the error of the store, and the bytes are kept', async () => {
      await s3.store.put('refused', text('old'))
      s3.server.setKnobs({ faults: [{ operation: 'PutObject', error: { status: 403, code: 'AccessDenied' } }] })
      try {
        const handle = await open(here.path('refused'), 'w')
        await handle.write('new')
        expect(await codeOf(handle.sync())).toBe('EACCES')
        expect(await codeOf(handle.close())).toBe('EACCES')
      } finally {
        s3.server.setKnobs({ faults: [] })
      }
      expect(await stored('refused')).toBe('old')
      await expect.poll(() => here.log).toMatch(/keptAt=/)
      const keptAt = /keptAt="([^"]+)"/.exec(here.log)?.[1] ?? ''
      expect(await readFile(keptAt, 'utf8')).toBe('new')
      expect(await readFile(here.path('refused'), 'utf8')).toBe('old')
    })

    test('names and attributes are stored when the call returns', async () => {
      const context = new PosixContext(here.mountPoint)
      await mkdir(here.path('dir'))
      expect((await s3.store.head('dir/')).sizeBytes).toBe(0)
      await writeFile(here.path('dir', 'f'), 'text')
      await context.sh('chmod 600 dir/f')
      expect((await s3.store.head('dir/f')).metadata.mode).toBe(String(0o100600))
      await rename(here.path('dir', 'f'), here.path('dir', 'g'))
      expect((await listAll(s3.store, { prefix: 'dir/' })).names).toEqual(['dir/', 'dir/g'])
      await context.sh('truncate -s 2 dir/g')
      expect(await stored('dir/g')).toBe('te')
      await unlink(here.path('dir', 'g'))
      await rmdir(here.path('dir'))
      expect((await listAll(s3.store, { prefix: 'dir' })).names).toEqual([])
    })

    test('unlink and rename do not wait for an open writer, whose commit goes to the new name', async () => {
      await s3.store.put('from', text('old'))
      const handle = await open(here.path('from'), 'r+')
      await handle.write('NEW')
      await rename(here.path('from'), here.path('to'))
      expect([await kindOf(s3.store.head('from')), await stored('to')]).toEqual(['not-found', 'old'])
      await handle.close()
      expect([await kindOf(s3.store.head('from')), await stored('to')]).toEqual(['not-found', 'NEW'])
    })

    test('what a file replaced before it was stored leaves the bucket with its name', async () => {
      for (const [away, left] of [
        ['rm replaced', []],
        ['mv replaced moved', ['moved']],
      ] as const) {
        await s3.store.put('replaced', text('old'))
        const handle = await open(here.path('replacing'), 'wx')
        await handle.write('new')
        await rename(here.path('replacing'), here.path('replaced'))
        expect(await stored('replaced')).toBe('old')
        await new PosixContext(here.mountPoint).sh(away)
        expect(await kindOf(s3.store.head('replaced'))).toBe('not-found')
        await handle.close()
        const { names } = await listAll(s3.store, {})
        expect(names.filter(name => /^(replac|moved)/.test(name))).toEqual(left)
      }
    })

    test('umount stores what closed files owe, and says so by the exit code', async () => {
      const driver = await s3.mount()
      await writeFile(driver.path('last'), 'words')
      expect(await driver.unmount()).toBe(0)
      expect(await stored('last')).toBe('words')
    })
  })

  test('3 a mount reads its own writes, before close too', async () => {
    const bytes = Buffer.from(testBytes(12_000_000))
    const writer = await open(here.path('own'), 'w')
    await writer.writeFile(bytes)
    expect((await stat(here.path('own'))).size).toBe(bytes.length)
    expect((await readFile(here.path('own'))).equals(bytes)).toBe(true)
    await writer.write(Buffer.from('PATCH'), 0, 5, 1_000_000)
    bytes.write('PATCH', 1_000_000)
    expect((await readFile(here.path('own'))).equals(bytes)).toBe(true)
    await writer.close()
    expect((await contentOf(s3.store, 'own')).equals(bytes)).toBe(true)
  })

  describe('4 close-to-open between mounts', () => {
    test('an open after the close of another mount sees what that stored', async () => {
      for (const version of ['first', 'second', 'of another length', 'x']) {
        await writeFile(here.path('shared'), version)
        expect(await readFile(there.path('shared'), 'utf8')).toBe(version)
        expect((await stat(there.path('shared'))).size).toBe(version.length)
      }
      await unlink(here.path('shared'))
      expect(await codeOf(readFile(there.path('shared')))).toBe('ENOENT')
    })

    test('names of another mount come and go', async () => {
      await mkdir(here.path('names'))
      await writeFile(here.path('names', 'a'), '')
      expect(await readdir(there.path('names'))).toEqual(['a'])
      await rename(here.path('names', 'a'), here.path('names', 'b'))
      expect(await readdir(there.path('names'))).toEqual(['b'])
      await writeFile(there.path('names', 'c'), '')
      expect((await readdir(here.path('names'))).sort()).toEqual(['b', 'c'])
    })

    test('a mount that trusts what it knows sees the new version once that has expired', async () => {
      const trusting = await s3.mount(['--metadata-ttl', '300ms'])
      await s3.store.put('expiring', text('old'))
      expect(await readFile(trusting.path('expiring'), 'utf8')).toBe('old')
      await s3.store.put('expiring', text('brand new'))
      await expect.poll(() => readFile(trusting.path('expiring'), 'utf8')).toBe('brand new')
      expect(await trusting.unmount()).toBe(0)
    })
  })

  describe('5 one version per handle', () => {
    const old = testBytes(8_000_000, 1)

    test('a handle never mixes versions: what it has not read yet is ESTALE, a new open sees the new one', async () => {
      await s3.store.put('versions', old)
      const handle = await open(there.path('versions'), 'r')
      await handle.read(Buffer.alloc(4096), 0, 4096, 0)
      await s3.store.put('versions', testBytes(8_000_000, 2))
      expect(await codeOf(handle.read(Buffer.alloc(4096), 0, 4096, 6_000_000))).toBe('ESTALE')
      expect((await readFile(there.path('versions'))).equals(testBytes(8_000_000, 2))).toBe(true)
      expect(await codeOf(handle.read(Buffer.alloc(4096), 0, 4096, 7_000_000))).toBe('ESTALE')
      await handle.close()
    })

    test('an object that was removed is ESTALE for who reads it', async () => {
      await s3.store.put('removed', old)
      const handle = await open(there.path('removed'), 'r')
      await handle.read(Buffer.alloc(4096), 0, 4096, 0)
      await s3.store.delete([{ key: 'removed' }])
      expect(await codeOf(handle.read(Buffer.alloc(4096), 0, 4096, 6_000_000))).toBe('ESTALE')
      await handle.close()
    })

    test('open handles move to what their own mount commits', async () => {
      await s3.store.put('moving', text('old'))
      const reader = await open(there.path('moving'), 'r')
      await writeFile(there.path('moving'), 'newer')
      const { buffer, bytesRead } = await reader.read(Buffer.alloc(10), 0, 10, 0)
      expect(buffer.toString('utf8', 0, bytesRead)).toBe('newer')
      await reader.close()
    })

    test('who edits a version that another mount has replaced loses with ESTALE, and nothing is overwritten', async () => {
      await s3.store.put('edited', text('base version'))
      const handle = await open(here.path('edited'), 'r+')
      await handle.write('mine')
      await writeFile(there.path('edited'), 'theirs')
      expect(await codeOf(handle.close())).toBe('ESTALE')
      expect(await stored('edited')).toBe('theirs')
      expect(await readFile(here.path('edited'), 'utf8')).toBe('theirs')
    })
  })

  describe('7 directories', () => {
    test('a prefix with keys below it is a directory', async () => {
      await s3.store.put('tree/of/keys', text('leaf'))
      expect((await stat(here.path('tree', 'of'))).isDirectory()).toBe(true)
      expect(await readdir(here.path('tree'))).toEqual(['of'])
      expect(await readFile(here.path('tree', 'of', 'keys'), 'utf8')).toBe('leaf')
    })

    test('a directory stays visible to the mount that emptied it', async () => {
      await s3.store.put('emptied/by/us', text('leaf'))
      await unlink(here.path('emptied', 'by', 'us'))
      expect((await listAll(s3.store, { prefix: 'emptied' })).names).toEqual([])
      expect(await readdir(here.path('emptied'))).toEqual(['by'])
      expect(await readdir(here.path('emptied', 'by'))).toEqual([])
      await rmdir(here.path('emptied', 'by'))
      await rmdir(here.path('emptied'))
      expect(await codeOf(stat(here.path('emptied')))).toBe('ENOENT')
    })

    test('rmdir of what others have filled is ENOTEMPTY', async () => {
      await mkdir(here.path('filled'))
      expect(await readdir(here.path('filled'))).toEqual([])
      await s3.store.put('filled/by-others', text('leaf'))
      expect(await codeOf(rmdir(here.path('filled')))).toBe('ENOTEMPTY')
      expect(await stored('filled/by-others')).toBe('leaf')
    })
  })

  describe('12 nothing hangs', () => {
    const stall = (operation: string, key: string) =>
      s3.server.setKnobs({ faults: [{ operation, key, stallMs: FOREVER_MS }] })
    const isAsked = (operation: string, before: number) =>
      expect
        .poll(() => (s3.server.counters().requests[operation] ?? 0) - before, { timeout: 10_000 })
        .toBeGreaterThan(0)
    const asked = (operation: string) => s3.server.counters().requests[operation] ?? 0

    test.for([
      { call: 'read', operation: 'GetObject', script: 'exec cat stalled-read' },
      { call: 'lookup', operation: 'HeadObject', script: 'exec stat stalled-lookup' },
      { call: 'readdir', operation: 'ListObjectsV2', script: 'exec ls' },
    ])(
      'a $call that waits for the store ends at once when its program is killed',
      async ({ call, operation, script }) => {
        const name = `stalled-${call}`
        await s3.store.put(name, testBytes(1_000_000))
        const driver = await s3.mount(NEVER)
        stall(operation, call === 'readdir' ? '' : name)
        const before = asked(operation)
        const program = HeldProgram.shell(driver.mountPoint, script)
        await isAsked(operation, before)
        program.kill('SIGKILL')
        expect(await program.end()).toBe('SIGKILL')
        expect((await stat(driver.mountPoint)).isDirectory()).toBe(true)
        s3.server.setKnobs({ faults: [] })
        await driver.end()
      },
    )

    test('a close that waits for the store ends at once when its program is killed', async () => {
      const driver = await s3.mount(NEVER)
      stall('PutObject', 'stalled-close')
      const before = asked('PutObject')
      const program = HeldProgram.python(
        driver.mountPoint,
        'f = os.open("stalled-close", os.O_CREAT | os.O_WRONLY)\nos.write(f, b"x")\nos.close(f)',
      )
      await isAsked('PutObject', before)
      program.kill('SIGKILL')
      expect(await program.end()).toBe('SIGKILL')
      s3.server.setKnobs({ faults: [] })
      await driver.kill()
    })

    test('a signal that a program handles disturbs no call', async () => {
      await s3.store.put('signals', text('text'))
      const driver = await s3.mount(NEVER)
      s3.server.setKnobs({ faults: [{ operation: 'GetObject', key: 'signals', stallMs: 500 }] })
      const script = `
import signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
print(open("signals").read())`
      expect(await HeldProgram.python(driver.mountPoint, script).ended()).toBe('text\n')
      s3.server.setKnobs({ faults: [] })
      expect(await driver.unmount()).toBe(0)
    })

    test('a call that waits for the store ends after --timeout, others are not held up', async () => {
      await s3.store.put('slow', testBytes(1_000_000))
      await s3.store.put('quick', text('quick'))
      const driver = await s3.mount(['--timeout', '1s'])
      stall('GetObject', 'slow')
      const slow = codeOf(readFile(driver.path('slow')))
      expect(await readFile(driver.path('quick'), 'utf8')).toBe('quick')
      expect(await slow).toBe('EIO')
      s3.server.setKnobs({ faults: [] })
      expect((await readFile(driver.path('slow'))).equals(testBytes(1_000_000))).toBe(true)
      expect(await driver.unmount()).toBe(0)
    })

    test('a writer whose store stalls hears of it after --timeout', async () => {
      const driver = await s3.mount(['--timeout', '1s'])
      stall('PutObject', 'stuck')
      expect(await codeOf(writeFile(driver.path('stuck'), 'text'))).toBe('EIO')
      s3.server.setKnobs({ faults: [] })
      await driver.end()
    })
  })
})
