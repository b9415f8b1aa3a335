import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { codeOf, PosixContext } from '../posix/posix-context.js'
import { HeldProgram } from '../support/held-program.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { contentOf, listAll } from '../support/store-tools.js'

const PROGRAM = join(import.meta.dirname, '../../dist/cli/mount-bucket.js')
const KEYS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'testsecret' }

interface Listed {
  readonly id: string
  readonly key: string
  readonly sizeBytes: number
  readonly reason: string
  readonly isWhole: boolean
  readonly file: string
}

/** A program that is killed with its files open. */
const killed = (script: string) => `${script}\nos.kill(os.getpid(), 9)`

const mounts = mountsOfThisFile()

describe.skipIf(!canMount())('mount-bucket recover', () => {
  let s3: OwnS3
  let driver: Driver
  let context: PosixContext
  let folder = ''

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    folder = await mounts.folder()
    driver = await s3.mount(['--metadata-ttl', '0'])
    context = new PosixContext(driver.mountPoint)
  })
  beforeEach(async () => {
    await recover('discard', '--all', '--yes')
    const { names } = await listAll(s3.store, {})
    await s3.store.delete(names.map(key => ({ key })))
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  function recover(...words: readonly string[]) {
    const env = { PATH: process.env.PATH ?? '', HOME: folder, ...KEYS }
    const all = [PROGRAM, 'recover', ...words, '--state-dir', driver.stateDir]
    return execa(process.execPath, all, { reject: false, stdin: 'ignore', extendEnv: false, env })
  }

  async function listed(): Promise<readonly Listed[]> {
    return JSON.parse((await recover('--json')).stdout) as Listed[]
  }

  /** The one file that is kept, once it is. */
  async function kept(): Promise<Listed> {
    await expect.poll(async () => (await listed()).length).toBe(1)
    const [file] = await listed()
    if (file === undefined) throw new Error('nothing is kept')
    return file
  }

  async function write(script: string): Promise<void> {
    await context.outcome('/usr/bin/python3', '-c', `import os\n${script}`).catch(() => undefined)
  }

  const stored = async (key: string) => (await contentOf(s3.store, key)).toString()

  test('says so when nothing is kept', async () => {
    expect(await recover()).toMatchObject({ exitCode: 0, stdout: 'nothing is kept: all that was written is stored' })
    expect((await recover('list', '--json')).stdout).toBe('[]')
    expect(await recover('retry', '12')).toMatchObject({ exitCode: 3 })
  })

  test('lists what a killed program wrote, saves it, and stores it while the mount runs', async () => {
    await write(killed('f = open("result.csv", "wb", 0); f.write(b"half a result"); os.chmod("result.csv", 0o600)'))
    const { id, ...rest } = await kept()
    expect(rest).toMatchObject({ url: 's3://bucket', key: 'result.csv', sizeBytes: 13, reason: 'killed by SIGKILL' })
    const { stdout } = await recover('list', driver.mountPoint)
    expect(stdout.split('\n').map(line => line.split(/ {2,}/))).toEqual([
      ['ID', 'KEPT (UTC)', 'SIZE', 'OBJECT', 'WHY'],
      [id.slice(0, 8), expect.any(String), '13', 's3://bucket/result.csv', 'killed by SIGKILL'],
    ])
    expect((await recover('list', folder)).stdout).toBe(`nothing is kept of what was mounted at ${folder}`)
    const target = join(folder, 'saved')
    expect(await recover('save', id.slice(0, 8), target)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await readFile(target, 'utf8')).toBe('half a result')
    expect(await recover('save', id, target)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--force') })
    expect(await recover('save', id, target, '--force')).toMatchObject({ exitCode: 0 })
    expect(await recover('retry', id)).toMatchObject({ exitCode: 0, stdout: 's3://bucket/result.csv is stored' })
    expect(await stored('result.csv')).toBe('half a result')
    expect((await s3.store.head('result.csv')).metadata.mode).toBe(String(0o100600))
    await expect.poll(() => codeOf(context.text('result.csv'))).toBe('done')
    expect(await listed()).toEqual([])
  })

  test('has the edit of a killed program, and lays it over no other version', async () => {
    await context.sh('printf "a text of others" > f')
    await write(killed('f = open("f", "r+b", 0); f.seek(2); f.write(b"TEXT")'))
    const { id } = await kept()
    expect(await stored('f')).toBe('a text of others')
    const whole = join(folder, 'edit-whole')
    expect(await recover('save', id, whole)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await readFile(whole, 'utf8')).toBe('a TEXT of others')
    await s3.store.put('f', Buffer.from('what they have made of it'))
    for (const words of [[], ['--force']]) {
      const said = await recover('retry', id, ...words)
      expect(said).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('save --partial') })
    }
    expect(await stored('f')).toBe('what they have made of it')
    const part = join(folder, 'edit-part')
    const saved = await recover('save', id, part)
    expect(saved).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('12 bytes can not be had any more') })
    expect(await readFile(part, 'latin1')).toBe(`\0\0TEXT${'\0'.repeat(10)}`)
    expect(await recover('save', id, part, '--partial', '--force')).toMatchObject({ exitCode: 0 })
    expect(await recover('discard', id)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') })
    expect(await recover('discard', id, '--yes')).toMatchObject({ exitCode: 0 })
    expect(await listed()).toEqual([])
  })

  test('has the edit that lost against another writer', async () => {
    await context.sh('printf "a text of others" > f')
    const handle = await open(driver.path('f'), 'r+')
    await handle.write(Buffer.from('TEXT'), 0, 4, 2)
    await s3.store.put('f', Buffer.from('what they have made of it'))
    expect(await codeOf(handle.close())).toBe('ESTALE')
    const file = await kept()
    expect(file).toMatchObject({ key: 'f', sizeBytes: 16, reason: expect.stringContaining('ESTALE') })
    expect(await stored('f')).toBe('what they have made of it')
  })

  test('stores a new file over that of others only by force', async () => {
    await write(killed('f = open("f", "wb", 0); f.write(b"mine")'))
    const { id } = await kept()
    await s3.store.put('f', Buffer.from('theirs'))
    expect(await recover('retry', id)).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('--force') })
    expect(await stored('f')).toBe('theirs')
    expect(await recover('retry', id, '--force')).toMatchObject({ exitCode: 0 })
    expect(await stored('f')).toBe('mine')
  })

  test('has what a close could not store, and stores it when the store is there again', async () => {
    s3.server.setKnobs({ faults: [{ operation: 'PutObject', error: { status: 403, code: 'AccessDenied' } }] })
    let id = ''
    try {
      expect(await codeOf(writeFile(driver.path('f'), 'text'))).toBe('EACCES')
      id = (await kept()).id
      const said = await recover('retry', id)
      expect(said).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('is not stored') })
    } finally {
      s3.server.setKnobs({ faults: [] })
    }
    expect(await recover('retry', id)).toMatchObject({ exitCode: 0 })
    expect(await stored('f')).toBe('text')
  })

  test('has what was written into memory that stayed mapped after the close, when that can not be stored', async () => {
    // An mmap.mmap would hold a descriptor of its own open.
    const program = HeldProgram.python(
      driver.mountPoint,
      `
import ctypes
libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
f = open("f", "w+b", 0); f.write(b"early text")
m = libc.mmap(None, 10, 3, 1, f.fileno(), 0); f.close()
hold()
ctypes.memmove(m, b"late", 4)
print(libc.munmap(ctypes.c_void_p(m), 10))`,
    )
    await program.line()
    expect(await stored('f')).toBe('early text')
    expect(await listed()).toEqual([])
    const logged = driver.log.length
    s3.server.setKnobs({ faults: [{ operation: 'PutObject', error: { status: 403, code: 'AccessDenied' } }] })
    let file: Listed
    try {
      // Nobody is told: the kernel hands over what was written when the memory is unmapped.
      expect(await program.finish()).toBe('0\n')
      file = await kept()
    } finally {
      s3.server.setKnobs({ faults: [] })
    }
    expect(file).toMatchObject({ key: 'f', sizeBytes: 10, reason: expect.stringContaining('EACCES') })
    const saved = join(folder, 'mapped')
    expect(await recover('save', file.id, saved)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await readFile(saved, 'utf8')).toBe('latey text')
    await expect
      .poll(() => driver.log.slice(logged))
      .toMatch(/ ERROR a file was not stored; its bytes are kept: mount-bucket recover path="\/?f"/)
    expect(await stored('f')).toBe('early text')
    await expect.poll(() => context.text('f')).toBe('early text')
    expect(await recover('retry', file.id)).toMatchObject({ exitCode: 0 })
    expect(await stored('f')).toBe('latey text')
  })

  test('has what a driver that was killed had staged, and does not take it for whole', async () => {
    const places = { stateDir: await mounts.folder('state'), mountPoint: await mounts.folder('mnt') }
    const dying = await s3.mount(['--part-size', '5M'], places)
    const bytes = Buffer.alloc(7 * 1024 * 1024, 'staged')
    const handle = await open(dying.path('big'), 'w')
    await handle.writeFile(bytes)
    await expect.poll(() => dying.stagedBytes()).toBe(bytes.length)
    await dying.kill()
    await handle.close().catch(() => undefined)
    const next = await s3.mount([], places)
    const options = { reject: false, extendEnv: false, env: { PATH: process.env.PATH ?? '', HOME: folder, ...KEYS } }
    const command = (...words: readonly string[]) =>
      execa(process.execPath, [PROGRAM, 'recover', ...words, '--state-dir', places.stateDir], options)
    const [file] = JSON.parse((await command('--json')).stdout) as Listed[]
    expect(file).toMatchObject({ key: 'big', sizeBytes: bytes.length, isWhole: false })
    expect(await command('retry', file?.id ?? '')).toMatchObject({ exitCode: 7 })
    expect((await listAll(s3.store, {})).names).toEqual([])
    const target = join(places.stateDir, 'saved')
    const saved = await command('save', file?.id ?? '', target)
    expect(saved).toMatchObject({ exitCode: 1 })
    expect(saved.stderr).toContain('the end may be missing')
    expect((await readFile(target)).equals(bytes)).toBe(true)
    expect(await command('save', '--force', '--partial', file?.id ?? '', target)).toMatchObject({ exitCode: 0 })
    expect(await next.unmount()).toBe(0)
  })
})

describe.skipIf(!canMount())('O_EXCL over two mounts', () => {
  const RACERS = 10
  /** Each racer creates the lock file when all are there, and says how that and its close went. */
  const RACE = `
import errno, os, sys
def name(error): return errno.errorcode[error.errno]
def race(n):
  sys.stdin.buffer.raw.read(1)
  try: f = os.open("lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
  except OSError as error: return "open " + name(error)
  os.write(f, b"%03d" % n)
  try: os.close(f)
  except OSError as error: return "close " + name(error)
  return "won %03d" % n
for n in range(${RACERS}):
  if os.fork() == 0:
    said = race(n + int(sys.argv[1]))
    os.write(1, (said + "\\n").encode())
    os._exit(0)
os.write(1, b"ready\\n")
for n in range(${RACERS}): os.wait()
`
  let s3: OwnS3

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  beforeEach(() => s3.store.delete([{ key: 'lock' }]))

  /** Paths of what the drivers' logs say is kept. */
  function keptBy(drivers: readonly Driver[]): readonly string[] {
    return drivers.flatMap(driver => [...driver.log.matchAll(/keptAt="([^"]+)"/g)].map(([, path = '']) => path))
  }

  async function race(drivers: readonly Driver[]): Promise<readonly string[]> {
    const racers = drivers.map((driver, index) =>
      execa('/usr/bin/python3', ['-c', RACE, String(index * 100)], { cwd: driver.mountPoint }),
    )
    await Promise.all(racers.map(racer => new Promise<void>(resolve => racer.stdout.once('data', () => resolve()))))
    for (const racer of racers) racer.stdin.end('x'.repeat(RACERS))
    const outputs = await Promise.all(racers)
    return outputs.flatMap(({ stdout }) => stdout.split('\n')).filter(line => line !== 'ready')
  }

  test.each(['close', 'open'] as const)('has one winner at %s', async when => {
    const drivers = [await s3.mount(['--exclusive-create', when]), await s3.mount(['--exclusive-create', when])]
    const said = await race(drivers)
    expect(said).toHaveLength(2 * RACERS)
    const winners = said.filter(line => line.startsWith('won '))
    expect(winners).toHaveLength(1)
    expect((await contentOf(s3.store, 'lock')).toString()).toBe(winners[0]?.slice('won '.length))
    const losers = said.filter(line => !line.startsWith('won '))
    const loss = when === 'open' ? /^open EEXIST$/ : /^(open|close) EEXIST$/
    for (const loser of losers) expect(loser).toMatch(loss)
    const losses = losers.filter(line => line === 'close EEXIST').length
    // The kernel does not wait for the end of a file that failed to close.
    await expect.poll(() => keptBy(drivers).length).toBe(losses)
    for (const path of keptBy(drivers)) expect(await readFile(path, 'utf8')).toMatch(/^\d{3}$/)
    for (const driver of drivers) await driver.end()
  })
})
