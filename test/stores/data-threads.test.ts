import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { TLS_CERTIFICATE, TLS_KEY } from '../../scripts/servers/tls-certificate.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import type { BlockSource } from '../../src/cache/block.js'
import { type ReadingSettings, readWithThreads } from '../support/data-threads-harness.js'
import { inParallel, seededRandom, testBytes } from '../support/store-tools.js'

const MIB = 1024 ** 2
const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }

type Reading = Awaited<ReturnType<typeof readWithThreads>>

describe.each(['http', 'https'])('data threads over %s', scheme => {
  const bytes = Buffer.from(testBytes(9 * MIB + 12_345))
  const ca = scheme === 'https' ? TLS_CERTIFICATE : undefined
  let server: S3Server
  let outside: ObjectStore
  let source: BlockSource
  let reading: Reading

  beforeAll(async () => {
    const tls = ca === undefined ? {} : { tls: { cert: TLS_CERTIFICATE, key: TLS_KEY } }
    server = await startS3Server({ buckets: ['bucket'], ...tls })
    outside = await openS3Store('bucket', { endpoint: server.url, credentials, region: 'us-east-1' })
  })
  beforeEach(async () => {
    const { etag } = await outside.put('object', bytes)
    source = { key: 'object', etag, sizeBytes: bytes.length }
  })
  afterEach(async () => {
    server.setKnobs({ faults: [], latencyMs: 0, bytesPerSecond: 0 })
    await reading.close()
  })
  afterAll(async () => {
    await outside.close()
    await server.close()
  })

  async function start(settings: Partial<ReadingSettings> = {}): Promise<Reading> {
    reading = await readWithThreads({ endpoint: server.secureUrl ?? server.url, ca, ...settings })
    return reading
  }

  /** What one read of a range is answered with, once, by whichever thread. */
  async function answerOf(offset: number, sizeBytes: number): Promise<Buffer | undefined> {
    const reply = reading.reply()
    await reading.cache.read(source, offset, sizeBytes, reply)
    const answers = reading.answers().filter(({ unique }) => unique === reply.ticket.unique)
    expect(answers.map(({ error }) => error)).toEqual([0])
    return answers[0]?.bytes
  }

  const gets = () => server.counters().requests.GetObject ?? 0

  it('receive what is asked for, and answer with it', async () => {
    // What a stream has passed is to stay.
    const { cache, reply, answers } = await start({ memoryBytes: 128 * MIB })
    const owner = {}
    for (let at = 0; at < bytes.length; at += MIB) cache.readAhead(source, at, MIB, owner)
    const random = seededRandom(5)
    const reads = Array.from({ length: 200 }, () => {
      const offset = Math.floor(random() * bytes.length)
      return { offset, sizeBytes: 1 + Math.floor(random() * 3 * MIB), reply: reply() }
    })
    await inParallel(reads, 16, read => cache.read(source, read.offset, read.sizeBytes, read.reply))
    const given = new Map(answers().map(answer => [answer.unique, answer]))
    expect(answers()).toHaveLength(reads.length)
    for (const { offset, sizeBytes, reply } of reads)
      expect(given.get(reply.ticket.unique)?.bytes.equals(bytes.subarray(offset, offset + sizeBytes))).toBe(true)
    expect(reads.filter(({ reply }) => reply.ticket.isAnswered()).length).toBeGreaterThan(100)
    expect(reading.gets()).toMatchObject({ requests: 10, receivedBytes: bytes.length, errors: {} })
  })

  it('answer while the bytes are on their way', async () => {
    const { cache, reply } = await start()
    server.setKnobs({ faults: [{ operation: 'GetObject', stallMs: 3_600_000 }] })
    cache.readAhead(source, 0, 4 * MIB, {})
    const early = reply()
    // All but the last byte of the body comes.
    await cache.read(source, 3 * MIB, 128 * 1024, early)
    expect(early.ticket.isAnswered()).toBe(true)
    expect(reading.answers()[0]?.bytes.equals(bytes.subarray(3 * MIB, 3 * MIB + 128 * 1024))).toBe(true)
  })

  it('are tried again by the layer for that, from where they came', async () => {
    await start()
    const error = { status: 503, code: 'SlowDown' }
    server.setKnobs({
      faults: [
        { operation: 'GetObject', error, from: 1, times: 1 },
        { operation: 'GetObject', cutAfterBytes: 700_000, from: 2, times: 1 },
        { operation: 'GetObject', dropRequest: true, from: 3, times: 1 },
      ],
    })
    const sentBefore = server.counters().bytesOut.GetObject ?? 0
    expect((await answerOf(100, 2 * MIB))?.equals(bytes.subarray(100, 100 + 2 * MIB))).toBe(true)
    expect(reading.gets()?.errors).toMatchObject({ throttled: 1 })
    // What had come before the cut is not sent again.
    expect((server.counters().bytesOut.GetObject ?? 0) - sentBefore).toBeLessThan(2 * MIB + 700_000)
  })

  it('tell of another version at once, and of an object that is gone', async () => {
    const { cache, reply } = await start()
    await outside.put('object', Buffer.alloc(bytes.length, 'other'))
    const before = gets()
    const changed = reply()
    await expect(cache.read(source, 0, MIB, changed)).rejects.toMatchObject({ kind: 'precondition-failed' })
    await outside.delete([{ key: 'object' }])
    await expect(cache.read(source, 0, MIB, reply())).rejects.toMatchObject({ kind: 'not-found', key: 'object' })
    expect(gets() - before).toBe(2)
    expect(reading.answers()).toEqual([])
  })

  it('take no reply that is not what was asked for', async () => {
    const { cache, reply } = await start()
    server.setKnobs({ faults: [{ operation: 'GetObject', ignoreRange: true }] })
    await expect(cache.read(source, MIB, MIB, reply())).rejects.toMatchObject({ kind: 'corrupt' })
    expect(reading.answers()).toEqual([])
  })

  it('end what makes no progress', async () => {
    const { cache, reply } = await start({ timeoutMs: 300 })
    server.setKnobs({ faults: [{ operation: 'GetObject', stallMs: 3_600_000 }] })
    await expect(cache.read(source, 0, MIB, reply())).rejects.toMatchObject({ kind: 'unavailable', code: 'TimedOut' })
    server.setKnobs({ faults: [] })
    expect((await answerOf(0, MIB))?.equals(bytes.subarray(0, MIB))).toBe(true)
  })

  it('give a read back whose program is gone, and others go on', async () => {
    const { cache, reply } = await start()
    server.setKnobs({ faults: [{ operation: 'GetObject', stallMs: 3_600_000, times: 1 }] })
    const before = gets()
    cache.readAhead(source, 0, MIB, {})
    const controller = new AbortController()
    const gone = cache.read(source, MIB - 100_000, 100_000, reply(), controller)
    await expect.poll(gets).toBeGreaterThan(before)
    controller.abort()
    await expect(gone).rejects.toMatchObject({ kind: 'aborted' })
    expect(reading.answers()).toEqual([])
    expect((await answerOf(2 * MIB, MIB))?.equals(bytes.subarray(2 * MIB, 3 * MIB))).toBe(true)
  })

  it('give all memory back', async () => {
    const { cache, budget } = await start({ memoryBytes: 4 * MIB })
    const random = seededRandom(7)
    for (let n = 0; n < 60; n++) {
      const offset = Math.floor(random() * bytes.length)
      const sizeBytes = 1 + Math.floor(random() * 2 * MIB)
      expect((await answerOf(offset, sizeBytes))?.equals(bytes.subarray(offset, offset + sizeBytes))).toBe(true)
      expect(cache.heldBytes).toBeLessThanOrEqual(4 * MIB)
      if (n % 10 === 9) expect(budget.makeRoom(4 * MIB)).toBe(true)
    }
    expect(budget.takenBytes).toBe(0)
  })

  it('are replaced when they end, and nobody notices', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
    const flag = join(folder, 'died')
    // The first that has received a piece ends its thread, with tickets that wait and others that were just answered.
    const program = `import { existsSync, writeFileSync } from 'node:fs'
export function openFiller(settings) {
  const filler = real(settings)
  return {
    fill: (request, sink, signal) => filler.fill(request, {
      free: () => sink.free(),
      advance: bytes => {
        sink.advance(bytes)
        if (existsSync(${JSON.stringify(flag)})) return
        writeFileSync(${JSON.stringify(flag)}, '')
        setTimeout(() => { throw new Error('dies') })
      },
    }, signal),
  }
}`
    const { cache, reply } = await start({ program })
    const offsets = Array.from({ length: 9 }, (_, n) => n * MIB)
    const owner = {}
    for (const offset of offsets) cache.readAhead(source, offset, MIB, owner)
    const reads = offsets.map(offset => ({ offset, reply: reply() }))
    await Promise.all(reads.map(each => cache.read(source, each.offset, MIB, each.reply)))
    expect(existsSync(flag)).toBe(true)
    // A thread that ended may have answered before it could tell: the kernel ignores the second answer.
    const answers = reading.answers()
    for (const each of reads) {
      const own = answers.filter(({ unique }) => unique === each.reply.ticket.unique)
      expect(own.length).toBeGreaterThan(0)
      for (const { bytes: given } of own)
        expect(given.equals(bytes.subarray(each.offset, each.offset + MIB))).toBe(true)
    }
    await rm(folder, { recursive: true })
  })
})
