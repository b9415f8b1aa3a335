import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Log } from '../../src/backend/log.js'
import { DiskCache, type DiskCacheOptions } from '../../src/cache/disk/disk-cache.js'
import { sweep } from '../../src/cache/disk/sweep.js'
import { testBytes } from './store-tools.js'

export const CELL = 64 * 1024
export const MIB = 1024 * 1024

/** A version of an object with its bytes. */
export interface Sample {
  readonly key: string
  readonly etag: string
  readonly sizeBytes: number
  readonly bytes: Buffer
}

export function sample(sizeBytes: number, key = 'key', etag = 'etag'): Sample {
  return { key, etag, sizeBytes, bytes: Buffer.from(testBytes(sizeBytes)) }
}

export function placeOfTest(): string {
  const place = mkdtempSync(join(tmpdir(), 'mount-bucket-test-'))
  onTestFinished(() => rmSync(place, { recursive: true, force: true }))
  return place
}

/** A log that is looked at. */
export class Heard implements Log {
  readonly lines: string[] = []
  readonly error = (message: string) => this.#hear(message)
  readonly warn = (message: string) => this.#hear(message)
  readonly info = (message: string) => this.#hear(message)
  readonly debug = () => undefined

  #hear(message: string): void {
    this.lines.push(message)
  }
}

/** A cache as a process has it; sweeps in this thread. It is closed when the test has ended. */
export function openCache(place: string, options: Partial<DiskCacheOptions> = {}): DiskCache {
  const cache = DiskCache.open({
    place,
    maxBytes: 1024 * MIB,
    keepFree: { bytes: 0 },
    store: { url: 's3://bucket', endpoint: undefined },
    prefix: '',
    maxWaitingBytes: 64 * MIB,
    storeMs: () => 1000,
    log: new Heard(),
    sweep: async request => sweep(request),
    ...options,
  })
  onTestFinished(() => cache.close())
  return cache
}

/** What the cache has of a range, from its front. */
export async function got(cache: DiskCache, object: Sample, offset = 0, sizeBytes = object.sizeBytes): Promise<Buffer> {
  const memory = Buffer.alloc(Math.min(sizeBytes, object.sizeBytes - offset), 0xee)
  return memory.subarray(0, await cache.read(object, offset, memory))
}

/** Resolves when the range is in its files. */
export async function put(cache: DiskCache, object: Sample, offset = 0, end = object.sizeBytes): Promise<void> {
  await cache.write(object, offset, object.bytes.subarray(offset, end))
  await cache.settled()
}

/** The paths of everything below a place that is a file of the cache. */
export function segmentsIn(place: string): readonly string[] {
  const names = readdirSync(place, { recursive: true, withFileTypes: true })
  return names
    .filter(entry => entry.isFile() && entry.name !== 'CACHEDIR.TAG')
    .map(entry => join(entry.parentPath, entry.name))
}
