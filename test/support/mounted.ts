import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './configuration.js'

const PROGRAM = join(import.meta.dirname, '../../dist/cli/mount-bucket.js')

/** One test's folders and the driver that was built into dist/. Whatever is left of it goes when the test has ended. */
export class Scene {
  readonly folder = temporaryFolder()
  readonly mountPoint = join(this.folder, 'mnt')
  readonly storeFolder = join(this.folder, 'store')
  readonly url = `file://${this.storeFolder}`
  readonly stateDir = join(this.folder, 'state')
  readonly logFile = join(this.folder, 'driver.log')
  readonly environment = {
    MOUNT_BUCKET_STATE_DIR: this.stateDir,
    MOUNT_BUCKET_LOG_FILE: this.logFile,
    XDG_CONFIG_HOME: this.folder,
  }

  constructor() {
    mkdirSync(this.mountPoint)
    mkdirSync(this.storeFolder)
    // Runs before the folder is removed, since what was registered last goes first.
    onTestFinished(() => this.#clean())
  }

  /** Runs the driver's command to its end. */
  run(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    return execa(process.execPath, [PROGRAM, ...words], {
      reject: false,
      stdin: 'ignore',
      env: { ...this.environment, ...environment },
    })
  }

  /** Mounts in the background and gives the pid of the driver. */
  async mount(...words: readonly string[]): Promise<number> {
    const { exitCode, stderr } = await this.run([this.url, this.mountPoint, ...words])
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`)
    return this.driver()
  }

  /** Starts the driver in the foreground; resolves once it says that the mount can be used. */
  async serve(words: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): Promise<Serving> {
    const all = [PROGRAM, '--foreground', this.url, this.mountPoint, ...words]
    const env = { ...this.environment, ...environment }
    const child = execa(process.execPath, all, { reject: false, stdin: 'ignore', env })
    await said(child, ' is mounted at ')
    return { child }
  }

  /** Of the driver that last mounted here. */
  driver(): number {
    const records = readdirSync(this.stateDir).map(name => join(this.stateDir, name, 'mount.json'))
    const [record] = records.filter(path => existsSync(path))
    if (record === undefined) throw new Error('no driver has left a record')
    return (JSON.parse(readFileSync(record, 'utf8')) as { readonly pid: number }).pid
  }

  get isMounted(): boolean {
    return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${this.mountPoint} `)
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8')
  }

  async #clean(): Promise<void> {
    if (existsSync(this.stateDir)) {
      const pid = this.#livingDriver()
      if (pid !== undefined) {
        process.kill(pid, 'SIGTERM')
        process.kill(pid, 'SIGTERM')
        await ended(pid)
      }
    }
    while (this.isMounted) await execa('umount', ['-l', this.mountPoint])
  }

  #livingDriver(): number | undefined {
    try {
      const pid = this.driver()
      return isDriver(pid) ? pid : undefined
    } catch {
      // Nothing was ever mounted here.
      return undefined
    }
  }
}

/** A driver in the foreground. `child` is in an object since it is a promise of its own end. */
interface Serving {
  readonly child: Pick<ChildProcess, 'kill' | 'stdout' | 'stderr'> &
    PromiseLike<{ readonly exitCode?: number; readonly stderr: string }>
}

/** Resolves when a program has said this; rejects when it ends before. */
export async function said(child: Pick<ChildProcess, 'stdout'> & PromiseLike<unknown>, text: string): Promise<void> {
  let output = ''
  const heard = new Promise<void>(resolve => {
    child.stdout?.on('data', (data: Buffer) => {
      output += data.toString()
      if (output.includes(text)) resolve()
    })
  })
  const end = Promise.resolve(child).then(result => {
    throw new Error(`ended before it said ${text}`, { cause: result })
  })
  await Promise.race([heard, end])
  // Its end is no failure from here on, and somebody else waits for it.
  end.catch(() => {})
}

/** Resolves once no process of ours has this pid any more. */
export async function ended(pid: number): Promise<void> {
  while (isDriver(pid)) await sleep(20)
}

/** Whether a driver with this pid runs; one that has ended and that nobody waited for does not. */
export function isDriver(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return status.startsWith('Name:\tnode') && !/^State:\t[ZX]/m.test(status)
  } catch {
    // It is gone.
    return false
  }
}

/** Why mounts can't be tried on this machine; undefined where they can. */
export function whyNoMounts(): string | undefined {
  if (!existsSync('/dev/fuse')) return 'no /dev/fuse'
  return process.getuid?.() === 0 ? undefined : 'not root'
}
