import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { vi } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import type { CompletedPart, ObjectStore } from '../../src/backend/object-store.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { built } from './servers.js'

const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
const BUCKET = 'bucket'
const PROGRAM = join(import.meta.dirname, '../../dist/cli/bucket.js')
/** Bytes per second of one connection. */
const SLOW = 3 * 1024 * 1024

type Counts = Readonly<Record<string, number>>

/** The `bucket` command with an own S3 in this process, whose counters and knobs are at hand. */
export class OwnServer {
  readonly server: S3Server
  readonly store: ObjectStore
  readonly folder: string

  private constructor(server: S3Server, store: ObjectStore, folder: string) {
    this.server = server
    this.store = store
    this.folder = folder
  }

  static async start(): Promise<OwnServer> {
    await built()
    const server = await startS3Server({ buckets: [BUCKET] })
    const folder = await mkdtemp(join(tmpdir(), 'own-server-'))
    await mkdir(join(folder, 'source'))
    return new OwnServer(server, await openS3Store(BUCKET, { endpoint: server.url, credentials: CREDENTIALS }), folder)
  }

  get source(): string {
    return join(this.folder, 'source')
  }

  get target(): string {
    return join(this.folder, 'target')
  }

  /** Starts the command; resolves when it has ended, however. */
  start(...words: readonly string[]) {
    return execa(process.execPath, [PROGRAM, ...words], this.#surroundings)
  }

  /** The same with a file as standard input. */
  startWith(inputFile: string, ...words: readonly string[]) {
    return execa(process.execPath, [PROGRAM, ...words], { ...this.#surroundings, inputFile })
  }

  /** Runs a script of bash, for which the command is "$BUCKET". */
  shell(script: string) {
    return execa(
      '/bin/bash',
      ['-c', script.replaceAll('"$BUCKET"', `"${process.execPath}" "${PROGRAM}"`)],
      this.#surroundings,
    )
  }

  get #surroundings() {
    return {
      reject: false,
      cwd: this.folder,
      extendEnv: false,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: join(this.folder, 'home'),
        MOUNT_BUCKET_STATE_DIR: join(this.folder, 'state'),
        MOUNT_BUCKET_URL: `s3://${BUCKET}`,
        MOUNT_BUCKET_ENDPOINT: this.server.url,
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      },
    } as const
  }

  /** Runs the command to its end and counts what it asks, by operation. Throws unless it succeeds. */
  async run(
    ...words: readonly string[]
  ): Promise<{ requests: Counts; bytesIn: Counts; bytesOut: Counts; stdout: string }> {
    const before = this.server.counters()
    const { exitCode, stdout, stderr } = await this.start(...words)
    if (exitCode !== 0) throw new Error(`bucket ${words.join(' ')} exited with ${exitCode}: ${stderr}`)
    const after = this.server.counters()
    return {
      stdout,
      requests: difference(before.requests, after.requests),
      bytesIn: difference(before.bytesIn, after.bytesIn),
      bytesOut: difference(before.bytesOut, after.bytesOut),
    }
  }

  /** Runs the command on a slow server until it has come far enough, and kills it. */
  async killedWhen(isFar: () => Promise<boolean>, ...words: readonly string[]): Promise<void> {
    this.server.setKnobs({ bytesPerSecond: SLOW })
    const running = this.start(...words)
    await vi.waitUntil(isFar, { timeout: 60_000, interval: 20 })
    running.kill('SIGKILL')
    if ((await running).signal !== 'SIGKILL') throw new Error('it ended before it was killed')
    await vi.waitUntil(() => this.server.counters().active === 0, { timeout: 60_000 })
    this.server.setKnobs({ bytesPerSecond: 0 })
  }

  /** Of the only upload that is not finished. */
  async storedParts(): Promise<readonly CompletedPart[]> {
    const [upload] = await this.store.listUploads()
    return upload === undefined ? [] : this.store.listParts(upload.key, upload.uploadId)
  }

  async stop(): Promise<void> {
    await this.store.close()
    await this.server.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}

function difference(before: Counts, after: Counts): Counts {
  const entries = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
  return Object.fromEntries(entries.filter(([, count]) => count > 0))
}
