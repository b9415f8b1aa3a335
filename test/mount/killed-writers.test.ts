import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { canBeOthers, PrivateMachine, type Said } from '../support/private-machine.js'
import { built } from '../support/servers.js'

const USER = 65_534

/** A mount of a folder as a store, and its owner. */
interface World {
  readonly mountPoint: string
  readonly store: string
  /** Below it lies what is kept. */
  readonly stateDir: string
  readonly logFile: string
  run(words: readonly string[]): Promise<Said>
}

/** A program that writes `f` in a folder of its own, and what comes of it. */
interface Row {
  readonly title: string
  readonly words: readonly string[]
  /** What `f` holds before; default: there is none. */
  readonly before?: string
  /** What the bucket has afterwards, and the mount shows; undefined: none. */
  readonly stored: string | undefined
  /** What is kept; default: nothing. */
  readonly kept?: string
}

const python = (script: string) => ['/usr/bin/python3', '-c', `import mmap, os, signal, sys, threading\n${script}`]
const shell = (script: string) => ['/bin/bash', '-c', script]

/** Has `timeout`, the parent of this shell, end it: not before it waits for that, or it ends without its child. */
const TIME_OUT =
  'until read -r pid name state rest < /proc/$PPID/stat; [ "$state" = S ]; do :; done; kill -ALRM $PPID; exec sleep 600'

const HALF = 'f = open("f", "wb", 0); f.write(b"half")'
const DIE = 'os.kill(os.getpid(), signal.SIGKILL)'
const KILLED = { stored: undefined, kept: 'half' }
const REPLACED = { before: 'old', stored: 'old' }

const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGSEGV', 'SIGABRT', 'SIGXCPU'] as const

const OF_KILLED: readonly Row[] = [
  ...SIGNALS.map(name => ({
    title: name,
    words: python(`${HALF}\nif "${name}" == "SIGINT": signal.signal(signal.SIGINT, signal.SIG_DFL)
os.kill(os.getpid(), signal.${name})`),
    ...KILLED,
  })),
  { title: 'os.abort()', words: python(`${HALF}\nos.abort()`), ...KILLED },
  { title: 'cmd > f, cmd killed', words: shell("sh -c 'printf half; kill -9 $$' > f; true"), ...KILLED },
  { title: 'exec > f, the shell killed', words: shell('exec > f; printf half; kill -9 $$'), ...KILLED },
  {
    title: 'a pipe whose end is killed',
    words: shell("printf half | sh -c 'cat; kill -9 $$' > f; true"),
    ...KILLED,
  },
  {
    title: 'timeout of a program that opened f itself',
    words: shell(`timeout 600 sh -c 'exec > f; printf half; ${TIME_OUT}'`),
    ...KILLED,
  },
  {
    title: 'timeout -s KILL cmd > f',
    words: shell(`timeout -s KILL 600 sh -c 'printf half; ${TIME_OUT}' > f`),
    ...KILLED,
  },
  {
    title: 'a thread that writes',
    words: python(`f = open("f", "wb", 0)
def work():
  f.write(b"half")
  ${DIE}
thread = threading.Thread(target=work); thread.start(); thread.join()`),
    ...KILLED,
  },
  {
    title: 'two descriptors of one file',
    words: python(`${HALF}\ng = open("f", "r+b", 0); g.write(b"HA")\n${DIE}`),
    stored: undefined,
    kept: 'HAlf',
  },
  {
    title: 'a child and its parent',
    words: python(`${HALF}
if os.fork() == 0: f.write(b"+"); ${DIE}
os.wait(); ${DIE}`),
    stored: undefined,
    kept: 'half+',
  },
  { title: 'over an existing file', words: python(`${HALF}\n${DIE}`), ...REPLACED, kept: 'half' },
  {
    title: 'in an existing file',
    words: python(`f = open("f", "r+b", 0); f.seek(1); f.write(b"LD")\n${DIE}`),
    ...REPLACED,
    kept: '\0LD',
  },
  {
    title: 'after O_TRUNC, before a byte',
    words: python(`os.open("f", os.O_WRONLY | os.O_TRUNC)\n${DIE}`),
    ...REPLACED,
  },
  {
    title: 'after ftruncate',
    words: python(`f = open("f", "r+b", 0); f.truncate(6)\n${DIE}`),
    ...REPLACED,
    kept: '',
  },
  { title: 'before a byte', words: python(`os.open("f", os.O_WRONLY | os.O_CREAT)\n${DIE}`), stored: undefined },
  {
    title: 'mapped memory',
    words: python(`f = open("f", "w+b", 0); f.truncate(4); m = mmap.mmap(f.fileno(), 4); m[:] = b"half"\n${DIE}`),
    ...KILLED,
  },
  {
    title: 'after fsync',
    words: python(`${HALF}\nos.fsync(f.fileno()); f.write(b" more")\n${DIE}`),
    stored: 'half',
    kept: 'half more',
  },
  {
    title: 'while its file is renamed',
    words: python(`f = open("g", "wb", 0); f.write(b"half"); os.rename("g", "f")\n${DIE}`),
    ...REPLACED,
    kept: 'half',
  },
]

const OF_FINISHED: readonly Row[] = [
  { title: 'close', words: python(`${HALF}\nf.close()\n${DIE}`), stored: 'half' },
  { title: 'exit without close', words: python(`${HALF}\nos._exit(0)`), stored: 'half' },
  { title: 'exit with a failure', words: python(`${HALF}\nos._exit(1)`), stored: 'half' },
  {
    title: 'a signal that is handled',
    words: python(`signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
${HALF}\nos.kill(os.getpid(), signal.SIGTERM)`),
    stored: 'half',
  },
  {
    title: 'Ctrl-C in Python, which closes its files and dies then',
    words: python(`${HALF}\nos.kill(os.getpid(), signal.SIGINT)`),
    stored: 'half',
  },
  {
    title: 'SIGPIPE',
    words: python(`signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n${HALF}\nos.kill(os.getpid(), signal.SIGPIPE)`),
    stored: 'half',
  },
  { title: 'yes | head > f', words: shell('yes | head -n 2 > f'), stored: 'y\ny\n' },
  {
    title: 'O_APPEND',
    words: python(`f = open("f", "ab", 0); f.write(b" and new")\n${DIE}`),
    before: 'old',
    stored: 'old and new',
  },
  {
    title: 'a list of commands of which one is killed',
    words: shell("(printf one; sh -c 'printf two; kill -9 $$'; printf three) > f; true"),
    stored: 'onetwothree',
  },
  {
    title: 'cmd > f in dash, which opens f itself and closes it well',
    words: ['/bin/dash', '-c', "sh -c 'printf half; kill -9 $$' > f; true"],
    stored: 'half',
  },
  {
    title: 'timeout cmd > f, since timeout itself holds f and ends well',
    words: shell(`timeout 600 sh -c 'printf half; ${TIME_OUT}' > f`),
    stored: 'half',
  },
  {
    title: 'a killed child of a living program',
    words: python(`f = open("f", "wb", 0)
if os.fork() == 0: f.write(b"one"); ${DIE}
os.wait(); f.write(b"two"); f.close()`),
    stored: 'onetwo',
  },
  {
    title: 'a child that lives on',
    words: python(`f = open("f", "wb", 0); f.write(b"one"); r, w = os.pipe()
if os.fork() == 0:
  os.setsid(); os.close(w)
  for n in (0, 1, 2): os.close(n)
  os.read(r, 1); f.write(b"two"); os._exit(0)
${DIE}`),
    stored: 'onetwo',
  },
  {
    title: 'fork, and an exit of the child',
    words: python(`f = open("f", "wb", 0); f.write(b"one")
if os.fork() == 0: os._exit(0)
os.wait(); f.write(b"two"); os._exit(0)`),
    stored: 'onetwo',
  },
  {
    title: 'memory that stays mapped after the close',
    words: python(
      `import ctypes; libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
f = open("f", "w+b", 0); f.truncate(4); m = libc.mmap(None, 4, 3, 1, f.fileno(), 0); f.close()
ctypes.memmove(m, b"half", 4)\n${DIE}`,
    ),
    stored: 'half',
  },
]

let folders = 0

async function check(world: World, row: Row): Promise<void> {
  const name = `w${++folders}`
  const sh = async (script: string) => (await world.run(['sh', '-c', script])).stdout
  const content = (folder: string) => sh(`cd ${folder}/${name} && text=$(cat f) && printf '[%s]' "$text"`)
  await sh(`mkdir ${world.mountPoint}/${name}`)
  if (row.before !== undefined) await sh(`printf '${row.before}' > ${world.mountPoint}/${name}/f`)
  await world.run(['sh', '-c', 'ulimit -c 0; cd "$1"; shift; "$@"', 'sh', `${world.mountPoint}/${name}`, ...row.words])
  const shown = row.stored === undefined ? '' : `[${row.stored.trimEnd()}]`
  const kept = () =>
    sh(
      `for r in $(grep -l '"key": "${name}/f"' ${world.stateDir}/*/kept/*.json); do tr '\\0' . < \${r%.json}.data; done`,
    )
  if (row.kept === undefined && row.stored !== row.before) {
    // Who outlives the program may still be at work.
    await expect.poll(() => content(world.store)).toBe(shown)
  } else {
    await expect.poll(() => sh(`grep ${name}/f ${world.logFile}`)).toContain('a writer was killed')
    expect(await content(world.store)).toBe(shown)
  }
  // The kernel is told behind the log.
  await expect.poll(() => content(world.mountPoint)).toBe(shown)
  expect(await kept()).toBe(row.kept?.replaceAll('\0', '.') ?? '')
  expect(await sh(`grep ${name}/f ${world.logFile} | wc -l`)).toBe(
    row.stored === row.before || row.kept !== undefined ? '1' : '0',
  )
}

describe.skipIf(!canMount())('root', () => {
  const mounts = mountsOfThisFile()
  let world: World

  beforeAll(async () => {
    const folder = await mounts.folder()
    const logFile = `${folder}/log`
    await execa('mkdir', [`${folder}/store`])
    const driver = await mounts.start({ url: `file://${folder}/store`, flags: ['--log-file', logFile] })
    const { mountPoint, stateDir } = driver
    const run = async ([program = '', ...words]: readonly string[]) => {
      const { exitCode, stdout, stderr } = await execa(program, words, { reject: false, stdin: 'ignore' })
      return { exitCode, stdout, stderr }
    }
    world = { mountPoint, stateDir, logFile, store: `${folder}/store`, run }
  })

  test.each(OF_KILLED)('killed: $title', row => check(world, row))
  test.each(OF_FINISHED)('finished: $title', row => check(world, row))
})

describe.skipIf(!(canMount() && canBeOthers()))('an ordinary user', () => {
  let machine: PrivateMachine
  let world: World

  beforeAll(async () => {
    await built()
    machine = await PrivateMachine.start()
    const mountPoint = machine.mountPoint(USER)
    const home = machine.home(USER)
    const run = (words: readonly string[]) => machine.run(USER, words)
    await run(['mkdir', `${home}/store`])
    const words = [`file://${home}/store`, mountPoint, '--log-file', `${home}/log`, '--state-dir', `${home}/state`]
    expect(await machine.mountBucket(USER, words)).toMatchObject({ exitCode: 0, stderr: '' })
    world = { mountPoint, store: `${home}/store`, stateDir: `${home}/state`, logFile: `${home}/log`, run }
  })
  afterAll(() => machine?.stop())

  test.each(OF_KILLED)('killed: $title', row => check(world, row))
  test.each(OF_FINISHED)('finished: $title', row => check(world, row))
})
