import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bucket } from './bucket.js'
import { BucketMount } from './bucket-mount.js'
import { Leavings } from './leavings.js'

const SHOWN_COMPLAINTS = 5

export type TransportName = 'kernel' | 'fuse-native'

export interface SiteSettings {
  /** The folder of package.json. */
  readonly root: string
  readonly transport: TransportName
  readonly bucket: Bucket
  /** Of the one large file. */
  readonly largeBytes: number
  /** How many small files. */
  readonly files: number
  /** Whether how long something takes may fail a step: only where nobody else uses the machine. */
  readonly judgesTime: boolean
}

/** Where the steps of one transport work: a local folder, a bucket, and mounts of it. */
export class Site {
  readonly settings: SiteSettings
  readonly #leavings = new Leavings()
  readonly #folder: string
  readonly #logFiles: string[] = []
  #mount: BucketMount | undefined
  #count = 0

  constructor(settings: SiteSettings) {
    this.settings = settings
    // Mount points that every user may reach.
    this.#folder = mkdtempSync(join(tmpdir(), 'mount-bucket-acceptance-'))
    this.#leavings.add(() => rmSync(this.#folder, { recursive: true, force: true }))
  }

  get program(): string {
    return join(this.settings.root, 'dist/cli/mount-bucket.js')
  }

  /** The mount that most steps share, made by the first one that asks. */
  async mount(): Promise<BucketMount> {
    this.#mount ??= await this.mountAt(this.folder('mnt'), this.folder('state'))
    return this.#mount
  }

  /** Another mount of the bucket. */
  mountAt(mountPoint: string, stateDir: string, flags: readonly string[] = []): Promise<BucketMount> {
    const { bucket, transport } = this.settings
    const { accessKeyId, secretAccessKey } = bucket.keys
    const logFile = join(stateDir, 'driver.log')
    this.#logFiles.push(logFile)
    const places = ['--endpoint', bucket.endpoint, '--state-dir', stateDir]
    return BucketMount.start(
      {
        program: this.program,
        words: [`s3://${bucket.name}`, mountPoint, ...places, '--transport', transport, ...flags],
        mountPoint,
        logFile,
        env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
      },
      endNow => this.#leavings.add(endNow),
    )
  }

  /** Ends the mount that the steps shared. */
  async unmount(): Promise<number | null> {
    const mount = await this.mount()
    this.#mount = undefined
    return mount.unmount()
  }

  /** A new, empty local folder. */
  folder(name: string): string {
    const folder = join(this.#folder, `${++this.#count}-${name}`)
    mkdirSync(folder)
    return folder
  }

  /** What the drivers complained of last, for whoever has to find out why a step failed. */
  complaints(): readonly string[] {
    const lines = this.#logFiles.filter(existsSync).flatMap(path => readFileSync(path, 'utf8').split('\n'))
    return lines.filter(line => / (ERROR|WARN) /.test(line)).slice(-SHOWN_COMPLAINTS)
  }

  onClose(undo: () => void): void {
    this.#leavings.add(undo)
  }

  /** Ends every mount, however it is, and removes every folder. */
  close(): void {
    this.#leavings.clear()
  }
}
