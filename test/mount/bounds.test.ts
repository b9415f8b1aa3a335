import { readFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { HeldProgram } from '../support/held-program.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { collect, contentOf } from '../support/store-tools.js'

const mounts = mountsOfThisFile()
const MIB = 1024 ** 2
const GIB = 1024 ** 3

const MEMORY = 16 * MIB
const FLAGS = ['--memory', '16M', '--part-size', '5M']
/** What the driver may take beside `--memory`: what the kernel's writes are received into, garbage, more code. */
const BESIDE = 128 * MIB
/** The same for one that only reads, with so many data threads; its garbage is bounded with Node 20 only. */
const besideReading = (threads: number) =>
  process.versions.node.startsWith('20.') ? (threads === 0 ? 14 : 18) * MIB : BESIDE

/** `at_once` runs a function in a thread for each item; `read` and `write` give the CRC32 of a file. */
const PROGRAM = `
import json, threading, zlib
def at_once(items, work):
    results = {}
    def run(item):
        try: results[item] = work(item)
        except OSError as error: results[item] = str(error)
    threads = [threading.Thread(target=run, args=(item,)) for item in items]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return results
def read(name):
    crc = 0
    with open(name, 'rb', buffering=0) as file:
        while piece := file.read(1 << 20): crc = zlib.crc32(piece, crc)
    return crc
def write(name, size):
    # Mostly zeros, which the server keeps once.
    crc = 0
    with open(name, 'wb', buffering=0) as file:
        for at in range(0, size, 1 << 20):
            piece = (f'{name} {at}'.encode() if at % (5 << 20) == 0 else b'').ljust(min(1 << 20, size - at), b'\\0')
            assert file.write(piece) == len(piece)
            crc = zlib.crc32(piece, crc)
    return crc
`

describe.skipIf(!canMount())('bounds hold', () => {
  let s3: OwnS3

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    await control('fill', { key: 'many-##', count: 64, sizeBytes: 8 * MIB })
    await control('fill', { key: 'small-###', count: 1000, sizeBytes: 64 * 1024, seed: 2 })
    await control('fill', { key: 'huge', sizeBytes: 100 * GIB, seed: 3 })
  })
  afterEach(() => s3.server.setKnobs({ latencyMs: 0, faults: [] }))
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  const sentBytes = () => s3.server.counters().bytesOut.GetObject ?? 0

  async function control(action: string, request: object): Promise<unknown> {
    const body = JSON.stringify({ bucket: 'bucket', ...request })
    const answer = await fetch(`${s3.server.url}/_control/${action}`, { method: 'POST', body })
    expect(answer.ok).toBe(true)
    return answer.json()
  }

  /** CRC32 of each object below a prefix. */
  async function stored(prefix: string): Promise<Record<string, number>> {
    const digests = (await control('digests', { prefix })) as readonly { key: string; crc32: number }[]
    return Object.fromEntries(digests.map(({ key, crc32 }) => [key, crc32]))
  }

  /** What a Python program in the mount prints as JSON; by then the driver has never held more than it may. */
  async function running(script: string, flags: readonly string[] = FLAGS, beside = BESIDE): Promise<unknown> {
    const driver = await s3.mount(flags)
    const before = await peakBytes(driver)
    const printed = await HeldProgram.python(driver.mountPoint, `${PROGRAM}\n${script}`).ended()
    expect(await peakBytes(driver)).toBeLessThan(before + MEMORY + beside)
    expect(driver.log).not.toMatch(/ (WARN|ERROR) /)
    expect(await driver.unmount()).toBe(0)
    return JSON.parse(printed)
  }

  async function peakBytes({ pid }: Driver): Promise<number> {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  test.for([0, 2])('64 files read at once, with %i data threads', async threads => {
    const before = sentBytes()
    const flags = [...FLAGS, '--data-threads', String(threads)]
    const script = 'print(json.dumps(at_once([f"many-{n:02}" for n in range(64)], read)))'
    const read = await running(script, flags, besideReading(threads))
    // Little is fetched that has to be given up again.
    expect(sentBytes() - before).toBeLessThan(64 * 8 * MIB * 1.5)
    const expected = await stored('many-')
    expect(Object.keys(expected)).toHaveLength(64)
    expect(read).toEqual(expected)
  })

  test('1,000 files open at once', async () => {
    const read = await running(`
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
files = {name: os.open(name, os.O_RDONLY) for name in sorted(os.listdir('.')) if name.startswith('small-')}
half = {name: os.pread(file, 32768, 0) for name, file in files.items()}
print(json.dumps({name: zlib.crc32(os.pread(file, 65536, 32768), zlib.crc32(half[name])) for name, file in files.items()}))
for file in files.values(): os.close(file)`)
    const expected = await stored('small-')
    expect(Object.keys(expected)).toHaveLength(1000)
    expect(read).toEqual(expected)
  })

  test('200 processes reading at once', async () => {
    const read = await running(`
readers = []
for number in range(200):
    child, parent = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(parent, f'{read(f"many-{number % 40:02}")}'.encode())
        os._exit(0)
    os.close(parent)
    readers.append((pid, child))
print(json.dumps([int(os.read(pipe, 100)) for pid, pipe in readers]))
for pid, pipe in readers: os.waitpid(pid, 0)`)
    const expected = Object.values(await stored('many-'))
    expect(read).toEqual(Array.from({ length: 200 }, (_, number) => expected[number % 40]))
  })

  test('an object of 100 GB', async () => {
    const places = [0, 50 * GIB - 1000, 100 * GIB - 2 * MIB]
    const before = sentBytes()
    const read = await running(`
file = os.open('huge', os.O_RDONLY)
size = os.fstat(file).st_size
places = [zlib.crc32(os.pread(file, ${2 * MIB}, place)) for place in [${places}]]
print(json.dumps([size, os.pread(file, 10, size).hex()] + places))`)
    expect(sentBytes() - before).toBeLessThan(64 * MIB)
    const expected: number[] = []
    for (const offset of places) {
      const { body } = await s3.store.get('huge', { range: { offset, lengthBytes: 2 * MIB } })
      expected.push(crc32(await collect(body)))
    }
    expect(read).toEqual([100 * GIB, '', ...expected])
  })

  test('8 writers of 100 MB at once', async () => {
    const written = await running(
      `print(json.dumps(at_once([f'written-{n}' for n in range(8)], lambda name: write(name, 100_000_000))))`,
    )
    expect(written).toEqual(await stored('written-'))
  })

  test.for([0, 2])('readers and writers together, with %i data threads', async threads => {
    const script = `
names = [f'many-{n:02}' for n in range(16)] + [f'mixed-{n}' for n in range(4)]
print(json.dumps(at_once(names, lambda name: write(name, 40_000_000) if name.startswith('mixed') else read(name))))`
    const both = await running(script, [...FLAGS, '--data-threads', String(threads)])
    const read = Object.entries(await stored('many-')).slice(0, 16)
    expect(both).toEqual({ ...Object.fromEntries(read), ...(await stored('mixed-')) })
  })

  test('a program that reads beside files that it writes and keeps open', async () => {
    const read = await running(`
files = [open(f'open-{n}', 'wb', buffering=0) for n in range(40)]
for file in files: file.write(b'x' * 1_000_000)
read_bytes = [read(f'many-{n:02}') for n in range(4)]
for file in files: file.write(b'y')
for file in files: file.close()
print(json.dumps(read_bytes))`)
    expect(read).toEqual(Object.values(await stored('many-')).slice(0, 4))
    const expected = Buffer.from(`${'x'.repeat(1_000_000)}y`)
    for (let number = 0; number < 40; number++)
      expect((await contentOf(s3.store, `open-${number}`)).equals(expected)).toBe(true)
  })

  test.for([0, 2])(
    'Ctrl-C ends programs whose store says no more, and others read on: %i data threads',
    async threads => {
      const driver = await s3.mount([...FLAGS, '--timeout', '1h', '--data-threads', String(threads)])
      s3.server.setKnobs({
        latencyMs: 20,
        faults: [{ operation: 'GetObject', key: '^many-0[01]$', stallMs: 3_600_000 }],
      })
      const readers = [0, 1].map(n => HeldProgram.shell(driver.mountPoint, `exec cat many-0${n}`))
      await expect.poll(() => s3.server.counters().active, { timeout: 10_000 }).toBeGreaterThanOrEqual(2)
      for (const reader of readers) reader.kill('SIGINT')
      for (const reader of readers) expect(await reader.end()).toBe('SIGINT')
      const { 'many-63': expected } = await stored('many-63')
      const script = `${PROGRAM}\nprint(read('many-63'))`
      expect(Number(await HeldProgram.python(driver.mountPoint, script).ended())).toBe(expected)
      expect(driver.log).not.toContain(' ERROR ')
    },
  )
})
