import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { built, cephS3, createBucket, ownS3, type S3Server } from './servers.js'

export const PROGRAM = join(import.meta.dirname, '../../dist/cli/bucket.js')

export interface BucketRunOptions {
  /** What goes to standard input; nothing by default. */
  readonly input?: string | Uint8Array | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** The `bucket` command as it was built, with a bucket and a home of its own that nothing is configured in. */
export class BucketCommand {
  /** Where the command runs. */
  readonly folder: string
  /** The bucket's URL, which the command is told through the environment. */
  readonly url: string
  /** Undefined for a store that is no server. */
  readonly server: S3Server | undefined

  private constructor(folder: string, url: string, server: S3Server | undefined) {
    this.folder = folder
    this.url = url
    this.server = server
  }

  /** The program as it was built, for tests that start it in another way. */
  static readonly program = PROGRAM

  /** A fresh bucket of a server. */
  static async onServer(server: S3Server): Promise<BucketCommand> {
    await built()
    return new BucketCommand(await freshFolder(), `s3://${await createBucket(server)}`, server)
  }

  /** A fresh folder of the local disk as a bucket. */
  static async onFolder(): Promise<BucketCommand> {
    await built()
    const folder = await freshFolder()
    await mkdir(join(folder, '.store'))
    return new BucketCommand(folder, `file://${join(folder, '.store')}`, undefined)
  }

  /** Runs the command. Never rejects: exit code and output are in what it resolves with. */
  run(words: readonly string[], options: BucketRunOptions = {}) {
    return execa(process.execPath, [PROGRAM, ...words], {
      reject: false,
      cwd: this.folder,
      extendEnv: false,
      env: { ...this.environment, ...options.env },
      input: options.input ?? '',
    })
  }

  /** What the command says on standard output, after which it must have exited with 0. */
  async output(...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(words)
    if (exitCode !== 0) throw new Error(`bucket ${words.join(' ')} exited with ${exitCode}: ${stderr}`)
    return stdout
  }

  async json(...words: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.output(...words, '--json'))
  }

  /** What the command finds around itself, for tests that start it in another way. */
  get environment(): Readonly<Record<string, string>> {
    const { server } = this
    const store = {
      PATH: process.env.PATH ?? '',
      HOME: join(this.folder, '.home'),
      MOUNT_BUCKET_STATE_DIR: join(this.folder, '.state'),
      MOUNT_BUCKET_URL: this.url,
    }
    if (server === undefined) return store
    return {
      ...store,
      MOUNT_BUCKET_ENDPOINT: server.endpoint,
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    }
  }

  dispose(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true })
  }
}

/** The stores that every test of the command line runs over; a server that is not installed is left out. */
export async function commandStores(): Promise<readonly (readonly [string, () => Promise<BucketCommand>])[]> {
  const own = await ownS3()
  const ceph = await cephS3()
  return [
    ['the own S3', () => BucketCommand.onServer(own)],
    ...(ceph === undefined ? [] : [['Ceph RGW', () => BucketCommand.onServer(ceph)] as const]),
    ['a local folder', () => BucketCommand.onFolder()],
  ]
}

function freshFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'bucket-command-'))
}
