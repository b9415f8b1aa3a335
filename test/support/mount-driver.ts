import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'
import { built } from './servers.js'

const run = promisify(execFile)
const PROGRAM = join(import.meta.dirname, '../../dist/cli/mount-bucket.js')

export interface MountSettings {
  readonly url: string
  /** Flags for mount-bucket. */
  readonly flags?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Default: a new folder. */
  readonly mountPoint?: string
  /** Default: a new folder. */
  readonly stateDir?: string
  /** Default: the Node.js that runs the tests. */
  readonly node?: string
}

/** Whether this machine lets a test mount; says so once where it doesn't, and fails where all is required. */
export function canMount(): boolean {
  const missing = reasonNotToMount()
  if (missing === undefined) return true
  if (process.env.REQUIRE_ALL === '1') throw new Error(`mounts: ${missing}`)
  process.stderr.write(`SKIPPED: tests on mounts: ${missing}\n`)
  return false
}

function reasonNotToMount(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
    return undefined
  } catch {
    return 'no /dev/fuse'
  }
}

/** The mounts of one test file; whatever of them is still there when its tests are over is ended. */
export function mountsOfThisFile(): MountKeeper {
  const keeper = new MountKeeper()
  afterAll(() => keeper.endAll())
  return keeper
}

export class MountKeeper {
  readonly #drivers = new Set<Driver>()
  readonly #folders: string[] = []

  constructor() {
    process.once('exit', () => {
      for (const driver of this.#drivers) driver.endNow()
    })
  }

  /** Starts a driver and resolves when programs can use the mount. */
  async start(settings: MountSettings): Promise<Driver> {
    await built()
    const mountPoint = settings.mountPoint ?? (await this.folder('mnt'))
    const stateDir = settings.stateDir ?? (await this.folder('state'))
    const driver = new Driver({ ...settings, mountPoint, stateDir })
    this.#drivers.add(driver)
    await driver.ready()
    return driver
  }

  /** A new folder that every user may enter; gone when the tests of the file are over. */
  async folder(name = 'folder'): Promise<string> {
    const parent = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
    this.#folders.push(parent)
    await chmod(parent, 0o755)
    const folder = join(parent, name)
    await mkdir(folder)
    return folder
  }

  async endAll(): Promise<void> {
    for (const driver of this.#drivers) await driver.end()
    this.#drivers.clear()
    for (const folder of this.#folders.splice(0)) await rm(folder, { recursive: true, force: true })
  }
}

/** A mount in a process of its own. */
export class Driver {
  readonly mountPoint: string
  readonly stateDir: string
  readonly #child: ChildProcess
  readonly #firstLine: Promise<string>
  #log = ''

  constructor(settings: MountSettings & { readonly mountPoint: string; readonly stateDir: string }) {
    const { url, mountPoint, stateDir, flags = [], environment = {}, node = process.execPath } = settings
    this.mountPoint = mountPoint
    this.stateDir = stateDir
    const words = [PROGRAM, url, mountPoint, '--foreground', '--state-dir', stateDir, ...flags]
    const { PATH = '' } = process.env
    const env = { PATH, HOME: stateDir, XDG_CACHE_HOME: join(stateDir, 'cache'), ...environment }
    this.#child = spawn(node, words, { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.#child.stderr?.on('data', chunk => {
      this.#log += chunk
    })
    this.#firstLine = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', code => reject(new Error(`mount-bucket ended with ${code}:\n${this.#log}`)))
      if (this.#child.stdout !== null) createInterface(this.#child.stdout).once('line', resolve)
    })
    this.#firstLine.catch(() => undefined)
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the driver did not start')
    return this.#child.pid
  }

  /** So many bytes of unfinished writers have reached the state folder: what a driver that dies leaves behind. */
  async stagedBytes(): Promise<number> {
    const names = await readdir(this.stateDir, { recursive: true })
    const files = names.filter(name => /\/staging\/[^/]*\.data$/.test(name))
    const sizes = await Promise.all(files.map(async name => (await stat(join(this.stateDir, name))).size))
    return sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0)
  }

  /** What it has logged so far. */
  get log(): string {
    return this.#log
  }

  path(...names: readonly string[]): string {
    return join(this.mountPoint, ...names)
  }

  async ready(): Promise<void> {
    await this.#firstLine
  }

  /** Unmounts as a user does; resolves with the driver's exit code once it has ended. */
  async unmount(): Promise<number | null> {
    await run('fusermount3', ['-u', this.mountPoint])
    return this.ended()
  }

  /** SIGKILL, and takes the dead mount away. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended()
    await run('fusermount3', ['-uz', this.mountPoint]).catch(() => undefined)
  }

  /** Resolves with the exit code. */
  async ended(): Promise<number | null> {
    if (this.#isRunning) await once(this.#child, 'close')
    return this.#child.exitCode
  }

  /** Whatever state it is in. */
  async end(): Promise<void> {
    if (!this.#isRunning) return
    await run('fusermount3', ['-u', this.mountPoint])
      .catch(() => run('fusermount3', ['-uz', this.mountPoint]))
      .catch(() => undefined)
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await this.ended()
    clearTimeout(impatience)
  }

  /** For a process that is ending and can't wait. */
  endNow(): void {
    if (!this.#isRunning) return
    spawnSync('fusermount3', ['-uz', this.mountPoint])
    this.#child.kill('SIGKILL')
  }

  get #isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }
}
