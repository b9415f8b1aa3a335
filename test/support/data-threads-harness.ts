import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FillingThreads } from '../../src/backend/filling-threads.js'
import type { ReadReply } from '../../src/cache/lanes/read-reply.js'
import { built } from './servers.js'

const DIST = new URL('../../dist/', import.meta.url)

type Modules = typeof import('../../src/backend/s3/s3-store.js') &
  typeof import('../../src/backend/layers/limits-layer.js') &
  typeof import('../../src/backend/layers/meter.js') &
  typeof import('../../src/backend/layers/metering-layer.js') &
  typeof import('../../src/backend/layers/retry/retry-layer.js') &
  typeof import('../../src/cache/block-cache.js') &
  typeof import('../../src/cache/buffer-budget.js') &
  typeof import('../../src/cache/lanes/data-threads.js') &
  typeof import('../../src/cache/lanes/main-lane.js') &
  typeof import('../../src/cache/shared-buffers.js') &
  typeof import('../../src/system/discard-memory.js')

const PATHS = [
  'backend/s3/s3-store',
  'backend/layers/limits-layer',
  'backend/layers/meter',
  'backend/layers/metering-layer',
  'backend/layers/retry/retry-layer',
  'cache/block-cache',
  'cache/buffer-budget',
  'cache/lanes/data-threads',
  'cache/lanes/main-lane',
  'cache/shared-buffers',
  'system/discard-memory',
]

/** The driver as it was built: its threads run what lies beside it. */
async function modules(): Promise<Modules> {
  await built()
  return Object.assign({}, ...(await Promise.all(PATHS.map(path => import(new URL(`${path}.js`, DIST).href)))))
}

export interface ReadingSettings {
  readonly endpoint: string
  readonly ca?: string | undefined
  readonly memoryBytes?: number
  readonly timeoutMs?: number
  /** The program of the threads, made of the real one: lines of a module that has it as `real`. */
  readonly program?: string
}

/** An answer as the kernel would get it: written to a file by whichever thread gives it. */
export interface Answer {
  readonly unique: number
  readonly error: number
  readonly bytes: Buffer
}

/** A bucket read through block cache, retries and data threads, without a kernel. */
export async function readWithThreads(settings: ReadingSettings) {
  const driver = await modules()
  const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-test-'))
  const path = join(folder, 'answers')
  const { memoryBytes = 64 * 1024 ** 2, timeoutMs = 20_000, endpoint, ca, program } = settings
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const buffers = new driver.SharedBuffers({ maxBytes: 4 * memoryBytes, discard: driver.discardMemory })
  const threads = new driver.DataThreads({ count: 2, buffers, log })
  threads.loadAnswerer(new URL('fuse/kernel/read-answers.js', DIST), { descriptor: openSync(path, 'a') })
  const filling: FillingThreads = {
    loadFiller: (real, given) =>
      threads.loadFiller(program === undefined ? real : wrapped(folder, real, program), given),
    share: memory => threads.share(memory),
    fill: (...given) => threads.fill(...given),
  }
  const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
  const bare = await driver.openS3Store('bucket', { endpoint, ca, credentials, region: 'us-east-1', threads: filling })
  const meter = new driver.Meter()
  const limited = new driver.LimitsLayer(new driver.MeteringLayer(bare, meter), { concurrency: 8 })
  const store = new driver.RetryLayer(limited, { timeoutMs, attemptTimeoutMs: timeoutMs, baseDelayMs: 1 })
  const lane = new driver.MainLane(store)
  const budget = new driver.BufferBudget(memoryBytes)
  const cache = new driver.BlockCache({ lane, memory: budget, blockSizeBytes: 64 * 1024, buffers, threads })
  let unique = 0
  return {
    cache,
    budget,
    gets: () => meter.snapshot().get,
    /** Numbered from 1. A read that this thread answers sends to the same file. */
    reply(): ReadReply & { readonly ticket: { readonly unique: number; readonly isAnswered: () => boolean } } {
      unique += 1
      let isAnswered = false
      const number = unique
      return {
        send: (views, release) => {
          writeFileSync(path, Buffer.concat([header(views, number), ...views]), { flag: 'a' })
          release()
        },
        ticket: {
          unique: number,
          isAnswered: () => isAnswered,
          answered: () => {
            isAnswered = true
          },
        },
      }
    },
    answers: () => answersIn(readFileSync(path)),
    async close() {
      await store.close()
      await threads.close()
      rmSync(folder, { recursive: true })
    },
  }
}

function header(views: readonly Uint8Array[], unique: number): Buffer {
  const buffer = Buffer.alloc(16)
  buffer.writeUInt32LE(16 + views.reduce((sum, view) => sum + view.length, 0), 0)
  buffer.writeBigUInt64LE(BigInt(unique), 8)
  return buffer
}

function answersIn(bytes: Buffer): readonly Answer[] {
  const answers: Answer[] = []
  for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at))
    answers.push({
      unique: Number(bytes.readBigUInt64LE(at + 8)),
      error: bytes.readInt32LE(at + 4),
      bytes: bytes.subarray(at + 16, at + bytes.readUInt32LE(at)),
    })
  return answers
}

function wrapped(folder: string, real: URL, lines: string): URL {
  const path = join(folder, 'program.mjs')
  writeFileSync(path, `import { openFiller as real } from ${JSON.stringify(real.href)}\n${lines}`)
  return new URL(`file://${path}`)
}
