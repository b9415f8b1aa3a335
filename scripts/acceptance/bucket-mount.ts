import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { run } from './program.js'

export interface MountRequest {
  /** dist/cli/mount-bucket.js. */
  readonly program: string
  /** The words behind the program: URL, mount point, flags. */
  readonly words: readonly string[]
  readonly mountPoint: string
  readonly logFile: string
  readonly env: Readonly<Record<string, string>>
}

/** A mount whose driver is a child of this process, in the foreground. */
export class BucketMount {
  readonly #child: ChildProcess
  readonly #request: MountRequest

  private constructor(child: ChildProcess, request: MountRequest) {
    this.#child = child
    this.#request = request
  }

  /** Resolves when programs can use the mount. `onStart` gets how to end it at once, whatever state it is in. */
  static async start(request: MountRequest, onStart: (endNow: () => void) => void): Promise<BucketMount> {
    const words = [request.program, ...request.words, '--foreground', '--log-file', request.logFile]
    const child = spawn(process.execPath, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...request.env },
    })
    const mount = new BucketMount(child, request)
    onStart(() => mount.#endNow())
    let complaints = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints = (complaints + text).slice(-4000)
    })
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', code => reject(new Error(`mount-bucket ended with ${code}: ${complaints}`)))
      createInterface(child.stdout).once('line', () => resolve())
    })
    return mount
  }

  path(...names: readonly string[]): string {
    return join(this.#request.mountPoint, ...names)
  }

  log(): string {
    return existsSync(this.#request.logFile) ? readFileSync(this.#request.logFile, 'utf8') : ''
  }

  /** The most memory that the driver ever held (VmHWM, proc_pid_status(5)). */
  peakMemoryBytes(): number {
    const text = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(text) ?? []
    if (kibibytes === undefined) throw new Error('the driver is gone')
    return Number(kibibytes) * 1024
  }

  /** As a user unmounts; resolves with the driver's exit code once it has ended. */
  async unmount(): Promise<number | null> {
    await run(['fusermount3', '-u', this.#request.mountPoint])
    return this.#ended()
  }

  /** SIGKILL: the dead mount stays. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended()
  }

  async #ended(): Promise<number | null> {
    if (this.#isRunning) await once(this.#child, 'close')
    return this.#child.exitCode
  }

  #endNow(): void {
    if (this.#isRunning) this.#child.kill('SIGKILL')
    const isMounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${this.#request.mountPoint} `)
    for (let tries = 0; isMounted() && tries < 3; tries++) spawnSync('umount', ['-l', this.#request.mountPoint])
  }

  get #isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }
}
