import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProcess, type ProcessUsage, usageOf } from '../process-usage.js'
import { filled, type MountKind, type Placeholders } from './mount-kind.js'

const START_MS = 30_000
const END_MS = 60_000
const LOOK_EVERY_MS = 10

/** A mount whose driver this process has started. */
export class RunningMount {
  readonly mountPoint: string
  readonly #kind: MountKind
  readonly #places: Placeholders
  readonly #child: ChildProcess
  #servingPid = 0

  private constructor(kind: MountKind, places: Placeholders, child: ChildProcess) {
    this.mountPoint = places.mountPoint
    this.#kind = kind
    this.#places = places
    this.#child = child
  }

  /** Resolves when it is mounted. `onStart` gets how to end it at once, whatever state it is in. */
  static async start(
    kind: MountKind,
    places: Placeholders,
    onStart: (endNow: () => void) => void,
  ): Promise<RunningMount> {
    mkdirSync(places.mountPoint, { recursive: true })
    const [file = '', ...words] = kind.command.map(word => filled(word, places))
    const env = Object.fromEntries(Object.entries(kind.env ?? {}).map(([name, value]) => [name, filled(value, places)]))
    const log = openSync(join(places.folder, 'output'), 'a')
    const child = spawn(file, words, { stdio: ['ignore', log, log], env: { ...ownEnvironment(), ...env } })
    closeSync(log)
    const mount = new RunningMount(kind, places, child)
    onStart(() => mount.endNow())
    await mount.#mounted()
    return mount
  }

  /** Of the process that serves. */
  get pid(): number {
    return this.#servingPid
  }

  usage(): ProcessUsage {
    return usageOf(this.#servingPid)
  }

  /** As a user unmounts; resolves when the driver has ended. */
  async unmount(): Promise<void> {
    const [file = '', ...words] = this.#unmountWords()
    const deadlineMs = performance.now() + END_MS
    while (this.#isMounted()) {
      spawnSync(file, words)
      if (performance.now() > deadlineMs) throw new Error(`${this.#kind.name} can't be unmounted`)
      if (this.#isMounted()) await sleep(100)
    }
    const pid = this.#servingPid
    while (pid !== 0 && this.#serves(pid)) {
      if (performance.now() > deadlineMs) throw new Error(`${this.#kind.name} does not end`)
      await sleep(LOOK_EVERY_MS)
    }
  }

  /** Ends the driver and the mount by force; for what hangs. */
  endNow(): void {
    if (this.#isRunning()) this.#child.kill('SIGKILL')
    if (this.#servingPid !== 0 && this.#servingPid !== this.#child.pid && this.#serves(this.#servingPid))
      process.kill(this.#servingPid, 'SIGKILL')
    for (let tries = 0; this.#isMounted() && tries < 3; tries++) {
      spawnSync('fusermount3', ['-uz', this.mountPoint])
      if (this.#isMounted()) spawnSync('umount', ['-l', this.mountPoint])
    }
  }

  async #mounted(): Promise<void> {
    const failed = once(this.#child, 'error')
    const deadlineMs = performance.now() + START_MS
    while (!this.#isMounted()) {
      if (this.#kind.watch === undefined && !this.#isRunning()) throw new Error(this.#complaint('has ended'))
      if (performance.now() > deadlineMs) throw new Error(this.#complaint('does not mount'))
      await Promise.race([sleep(LOOK_EVERY_MS), failed.then(([error]) => Promise.reject(error))])
    }
    this.#servingPid = this.#findServing()
  }

  #findServing(): number {
    const { watch } = this.#kind
    const pid = watch === undefined ? this.#child.pid : findProcess(watch, this.mountPoint)
    if (pid === undefined) throw new Error(this.#complaint(`has no process ${watch}`))
    return pid
  }

  #complaint(what: string): string {
    const output = readFileSync(join(this.#places.folder, 'output'), 'utf8').slice(-1000)
    return `${this.#kind.name} ${what}: ${output.trim()}`
  }

  #unmountWords(): readonly string[] {
    return (this.#kind.unmount ?? ['fusermount3', '-u', '{mountPoint}']).map(word => filled(word, this.#places))
  }

  #isMounted(): boolean {
    return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${this.mountPoint} `)
  }

  #isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  #serves(pid: number): boolean {
    if (pid === this.#child.pid) return this.#isRunning()
    return findProcess(this.#kind.watch ?? '', this.mountPoint) === pid
  }
}

/** Without what would lead a driver elsewhere: accounts, proxies and certificates of whoever runs the bench. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(AWS_|RCLONE_|MOUNT_BUCKET_)|_PROXY$|^SSL_CERT_/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
}
