import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { vi } from 'vitest'
import { canRun, installed } from './acceptance-needs.js'

const ROOT = join(import.meta.dirname, '../..')

/**
 * Run in a mount namespace of its own, where nothing reaches the machine's: ordinary users may open /dev/fuse, fuse.conf
 * is the test's own, and the driver and its Node lie where everybody may read them.
 */
const SET_UP = `
# What other tests have mounted would outlive its end there for as long as it is seen here.
umount --all --lazy --internal-only --types fuse.mount-bucket
mount -t tmpfs -o mode=755 tmpfs "$1"
mknod -m 666 "$1/fuse" c 10 229
mount --bind "$1/fuse" /dev/fuse
touch "$1/fuse.conf" "$1/node"
mount --bind "$1/fuse.conf" /etc/fuse.conf
mount --bind "$2" "$1/node"
mkdir "$1/package" "$1/homes"
mount --bind "$3" "$1/package"
echo ready
exec cat`

export interface Said {
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Whether this machine lets a test be an ordinary user who mounts. */
export function canBeOthers(): boolean {
  return canRun('ordinary users', ['unshare', 'nsenter', 'setpriv', 'fusermount3'].map(installed))
}

/** The machine as ordinary users have it who may mount. */
export class PrivateMachine {
  readonly #folder: string
  readonly #holder: ChildProcess
  #mountPoints = 0

  private constructor(folder: string, holder: ChildProcess) {
    this.#folder = folder
    this.#holder = holder
  }

  static async start(): Promise<PrivateMachine> {
    const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-private-'))
    const words = ['--mount', '--propagation', 'private', 'sh', '-euc', SET_UP, 'sh', folder, process.execPath, ROOT]
    const holder = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'] })
    const machine = new PrivateMachine(folder, holder)
    await new Promise<void>((resolve, reject) => {
      holder.once('close', code => reject(new Error(`the namespace could not be made: exit code ${code}`)))
      createInterface(holder.stdout).once('line', () => resolve())
    })
    return machine
  }

  /** Whether fuse.conf lets ordinary users share their mounts. */
  set userAllowOther(isAllowed: boolean) {
    writeFileSync(this.#outside('fuse.conf'), isAllowed ? 'user_allow_other\n' : '')
  }

  /** A new, empty folder of a user's. */
  mountPoint(uid: number): string {
    const name = `mnt${++this.#mountPoints}`
    this.home(uid)
    const outside = this.#outside('homes', String(uid), name)
    mkdirSync(outside)
    chownSync(outside, uid, uid)
    return join(this.home(uid), name)
  }

  /** A user's home folder, which others may enter. */
  home(uid: number): string {
    const outside = this.#outside('homes', String(uid))
    mkdirSync(outside, { recursive: true })
    chmodSync(outside, 0o755)
    chownSync(outside, uid, uid)
    return join(this.#folder, 'homes', String(uid))
  }

  /** Runs a program as a user without any privilege; uid 0 is root. */
  async run(uid: number, words: readonly string[]): Promise<Said> {
    const { exitCode, stdout, stderr } = await execa('nsenter', this.#words(uid, words), this.#options(uid))
    return { exitCode, stdout, stderr }
  }

  shell(uid: number, script: string): Promise<Said> {
    return this.run(uid, ['sh', '-c', script])
  }

  mountBucket(uid: number, words: readonly string[]): Promise<Said> {
    const program = join(this.#folder, 'package/dist/cli/mount-bucket.js')
    return this.run(uid, [join(this.#folder, 'node'), program, ...words])
  }

  isMounted(mountPoint: string): boolean {
    return readFileSync(`/proc/${this.#holder.pid}/mountinfo`, 'utf8').includes(` ${mountPoint} `)
  }

  /** Ends what is still mounted, and waits for the drivers, which write to their home folders until they have ended. */
  async stop(): Promise<void> {
    const table = readFileSync(`/proc/${this.#holder.pid}/mountinfo`, 'utf8').split('\n')
    const places = table
      .filter(line => line.includes(' - fuse.mount-bucket '))
      .map(line => line.split(' ')[4] ?? '')
      .filter(place => place.startsWith(`${this.#folder}/homes/`))
    await Promise.all(places.map(place => this.#unmount(place)))
    await vi.waitUntil(() => this.#inhabitants().length === 0, { timeout: 10_000, interval: 20 })
    this.#holder.stdin?.end()
    if (this.#holder.exitCode === null) await once(this.#holder, 'close')
    rmSync(this.#folder, { recursive: true })
  }

  /** Processes in the namespace beside the one that holds it. */
  #inhabitants(): readonly string[] {
    const { pid } = this.#holder
    const namespaceOf = (process: string) => {
      try {
        return readlinkSync(`/proc/${process}/ns/mnt`)
      } catch {
        // It has ended.
        return undefined
      }
    }
    const own = namespaceOf(String(pid))
    return readdirSync('/proc').filter(name => /^\d+$/.test(name) && name !== String(pid) && namespaceOf(name) === own)
  }

  async #unmount(place: string): Promise<void> {
    const uid = Number(basename(dirname(place)))
    const { exitCode, stderr } = await this.mountBucket(uid, ['unmount', '--lazy', place])
    if (exitCode !== 0) throw new Error(`${place} is left: ${stderr}`)
  }

  #words(uid: number, words: readonly string[]): readonly string[] {
    const user = uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
    return [`--mount=/proc/${this.#holder.pid}/ns/mnt`, '--', ...user, ...words]
  }

  #options(uid: number) {
    const env = { PATH: process.env.PATH ?? '', HOME: this.home(uid), LC_ALL: 'C' }
    return { reject: false, stdin: 'ignore', cwd: '/', extendEnv: false, env, timeout: 60_000 } as const
  }

  /** A path of the namespace's tmpfs as this process reaches it. */
  #outside(...names: readonly string[]): string {
    return join(`/proc/${this.#holder.pid}/root`, this.#folder, ...names)
  }
}
