import { readFile, stat } from 'node:fs/promises'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { HeldProgram } from '../support/held-program.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { testBytes } from '../support/store-tools.js'

const mounts = mountsOfThisFile()

/** What each asks the store of `name`, and how it ends when the mount is cut off meanwhile. */
const READERS = [
  { title: 'a lookup', operation: 'HeadObject', script: 'os.stat(name)', whenCutOff: 1 },
  { title: 'a read', operation: 'GetObject', script: 'open(name, "rb").read()', whenCutOff: 1 },
  {
    title: 'a read past the page cache',
    operation: 'GetObject',
    script: 'import mmap\nos.preadv(os.open(name, os.O_RDONLY | os.O_DIRECT), [mmap.mmap(-1, 4096)], 999424)',
    whenCutOff: 1,
  },
  {
    title: 'a mapped read',
    operation: 'GetObject',
    script: 'import mmap\nf = open(name, "rb")\nmmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)[500000]',
    whenCutOff: 'SIGBUS',
  },
] as const

describe.skipIf(!canMount()).each([0, 2])('a reader that waits for a slow store, with %i data threads', threads => {
  const bytes = Buffer.from(testBytes(1_000_000))
  const flags = ['--metadata-ttl', '0', '--data-threads', String(threads)]
  let s3: OwnS3

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    for (const name of ['a', 'b']) await s3.store.put(name, bytes)
  })
  afterEach(() => s3.server.setKnobs({ latencyMs: 0, bytesPerSecond: 0, faults: [] }))
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  /** Resolves when `script` runs and has made the driver ask the store, which takes its time. */
  async function waitingReader(operation: string, script: string): Promise<HeldProgram> {
    const asked = () => s3.server.counters().requests[operation] ?? 0
    const before = asked()
    const reader = HeldProgram.python('/', script)
    await expect.poll(asked, { timeout: 10_000 }).toBeGreaterThan(before)
    return reader
  }

  test.for(READERS)('is killed, which nobody else notices: $title', async ({ operation, script }) => {
    const driver = await s3.mount(flags)
    for (const name of ['a', 'b']) {
      s3.server.setKnobs({ latencyMs: 500 })
      const reader = await waitingReader(operation, `name = "${driver.path(name)}"\n${script}`)
      reader.kill('SIGKILL')
      expect(await reader.end()).toBe('SIGKILL')
      // What was still on its way has arrived.
      await expect.poll(() => s3.server.counters().active, { timeout: 10_000 }).toBe(0)
      s3.server.setKnobs({ latencyMs: 0 })
    }
    for (const name of ['a', 'b']) {
      expect((await stat(driver.path(name))).size).toBe(bytes.length)
      expect((await readFile(driver.path(name))).equals(bytes)).toBe(true)
    }
    expect(driver.log).not.toContain(' ERROR ')
    expect(await driver.unmount()).toBe(0)
  })

  test.for(READERS)(
    'is cut off, and the kernel wants no answer any more: $title',
    async ({ operation, script, whenCutOff }) => {
      const driver = await s3.mount([...flags, '--timeout', '1h'])
      s3.server.setKnobs({ faults: [{ operation, key: '^a$', stallMs: 3_600_000 }] })
      const reader = await waitingReader(operation, `name = "${driver.path('a')}"\n${script}`)
      // Ends the connection first, and then refuses where the mount is in use.
      await execa('umount', ['--force', driver.mountPoint], { reject: false })
      const codes = [await driver.ended(), await reader.end()]
      await execa('umount', ['--lazy', driver.mountPoint], { reject: false })
      expect(codes).toEqual([0, whenCutOff])
      expect(driver.log).toContain(' INFO unmounted')
      expect(driver.log).not.toContain(' ERROR ')
    },
  )

  test('is killed while pages are read ahead, of which the kernel tells nothing', async () => {
    const large = Buffer.from(testBytes(20_000_000))
    await s3.store.put('large', large)
    const driver = await s3.mount([...flags, '--timeout', '1h'])
    const script = 'f = os.open(name, os.O_RDONLY)\nos.pread(f, 1, 0)\nhold()\nos.pread(f, 1_000_000, 19_000_000)'
    const reader = HeldProgram.python('/', `name = "${driver.path('large')}"\n${script}`)
    await reader.line()
    // What others have left to its end, in the server.
    const before = s3.server.counters().active
    s3.server.setKnobs({ bytesPerSecond: 50_000 })
    reader.go()
    await expect.poll(() => s3.server.counters().active, { timeout: 10_000 }).toBeGreaterThan(before)
    reader.kill('SIGKILL')
    expect(await reader.end()).toBe('SIGKILL')
    await expect.poll(() => s3.server.counters().active, { timeout: 10_000 }).toBe(before)
    s3.server.setKnobs({ bytesPerSecond: 0 })
    expect((await readFile(driver.path('large'))).equals(large)).toBe(true)
    expect(driver.log).not.toContain(' ERROR ')
    expect(await driver.unmount()).toBe(0)
  })
})
