import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'
import type { TransportKind } from '../../src/fuse/create-transport.js'
import { built } from './servers.js'

const run = promisify(execFile)
const PROGRAM = join(import.meta.dirname, '../../build/test/support/fuse-memory-mount.js')

export interface FuseChildSettings {
  readonly kind?: TransportKind
  readonly ttlMs?: number
  readonly options?: readonly string[]
  /**
   * Run as nobody, in a mount namespace of its own where everybody may use /dev/fuse and allow_other: `inside` runs
   * programs there. Needs root.
   */
  readonly asNobody?: boolean
}

const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] as const

/** $1: a folder to put what is bound over; the rest: what to run as nobody. */
const OPEN_TO_ALL = `
set -e
mknod -m 0666 "$1/node" c 10 229
mount --bind "$1/node" /dev/fuse
echo user_allow_other > "$1/fuse.conf"
mount --bind "$1/fuse.conf" /etc/fuse.conf
shift
exec "$@"
`

/** A MemoryFilesystem mounted by a process of its own (fuse-memory-mount.ts). */
export class FuseChild {
  readonly mountPoint: string
  readonly #process: ChildProcess
  readonly #messages: string[] = []
  #onMessage: () => void = () => {}

  constructor(mountPoint: string, settings: FuseChildSettings, folder?: string) {
    const { kind = 'kernel', ttlMs = 1000, options = [] } = settings
    this.mountPoint = mountPoint
    const words = ['-m', 'sh', '-c', OPEN_TO_ALL, 'sh', folder ?? '', ...NOBODY, process.execPath]
    const asNobody = folder === undefined ? {} : { execPath: 'unshare', execArgv: words }
    this.#process = fork(PROGRAM, [mountPoint, kind, String(ttlMs), ...options], asNobody)
    this.#process.on('message', (message: string) => {
      this.#messages.push(message)
      this.#onMessage()
    })
    this.#process.on('exit', code => {
      this.#messages.push(`exit ${code}`)
      this.#onMessage()
    })
  }

  path(...names: readonly string[]): string {
    return join(this.mountPoint, ...names)
  }

  /** Runs a shell command as nobody, where the mount of nobody is to be seen. Resolves with what it printed. */
  async inside(command: string): Promise<string> {
    const [program = '', ...args] = [...this.enter, ...NOBODY, 'sh', '-c', command]
    return (await run(program, args, { cwd: '/' })).stdout
  }

  /** What a command begins with that root runs where the mount of nobody is to be seen. */
  get enter(): readonly string[] {
    return ['nsenter', '-m', '-t', String(this.#process.pid), '--']
  }

  send(...words: readonly string[]): void {
    this.#process.send(words)
  }

  /** The next message that begins so; those before it are passed over. Rejects when the program ends without. */
  async next(beginning: string): Promise<string> {
    for (;;) {
      const message = this.#messages.shift()
      if (message === undefined)
        await new Promise<void>(resolve => {
          this.#onMessage = resolve
        })
      else if (message.startsWith(beginning)) return message
      else if (/^(exit|failed)/.test(message)) throw new Error(`waiting for ${beginning}: ${message}`)
    }
  }

  /** The process ends by itself once the mount is gone; this makes sure of both. */
  async end(): Promise<void> {
    await run('umount', ['-l', this.mountPoint]).catch(() => undefined)
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit')
      this.#process.kill('SIGKILL')
      await exited
    }
  }
}

/** Mounts for one test file, all gone when its tests are over. */
export function fuseChildren(): (settings?: FuseChildSettings) => Promise<FuseChild> {
  const children: FuseChild[] = []
  const folders: string[] = []
  const folder = async () => {
    const made = await mkdtemp(join(tmpdir(), 'fuse-child-'))
    folders.push(made)
    await chmod(made, 0o755)
    return made
  }
  afterAll(async () => {
    for (const child of children) await child.end()
    for (const made of folders) await rm(made, { recursive: true, force: true })
  })
  return async (settings = {}) => {
    await built()
    const mountPoint = await folder()
    if (settings.asNobody) await chown(mountPoint, 65534, 65534)
    const child = new FuseChild(mountPoint, settings, settings.asNobody ? await folder() : undefined)
    children.push(child)
    await child.next('ready')
    return child
  }
}
