import { collectBody } from '../../src/backend/body.js'
import { abortSignalOf } from '../../src/backend/call-signal.js'
import { checkConditions, checkVersion } from '../../src/backend/conditions.js'
import { fillSink } from '../../src/backend/fill-sink.js'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import type {
  Body,
  ByteRange,
  CompletedPart,
  CopyPartSource,
  DeleteEntry,
  DeleteResult,
  GetOptions,
  GetResult,
  ObjectInfo,
  ObjectTraits,
  PrepareReadOptions,
  ReadPlan,
  Upload,
  WriteConditions,
  WriteResult,
} from '../../src/backend/object-store.js'
import { checkedParts } from '../../src/backend/part-list.js'

/** A stretch of an object: bytes that were sent, or bytes that are made of their place when somebody reads them. */
type Strand = { readonly sizeBytes: number } & ({ readonly bytes: Uint8Array } | { readonly from: number })

interface Rope {
  readonly etag: string
  readonly strands: readonly Strand[]
}

/** The bytes that a grown object has from a place on. */
export function grownBytes(from: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (from + i) * 31 + Math.floor((from + i) / 251)
  return bytes
}

const CHUNK_BYTES = 256 * 1024

/** Holds large objects that cost no memory: uploads make ropes of copied and sent parts. The others are the inner store's. */
export class RopeStore extends StoreLayer {
  readonly #ropes = new Map<string, Rope>()
  #made = 0

  /** Makes an object of bytes that `grownBytes` tells. */
  grow(key: string, sizeBytes: number): void {
    this.keep(key, [{ sizeBytes, from: 0 }])
  }

  keep(key: string, strands: readonly Strand[]): WriteResult {
    this.#made += 1
    const etag = `rope-${this.#made}`
    this.#ropes.set(key, { etag, strands })
    return { etag }
  }

  /** The rope's part of a range, as strands. */
  slice(key: string, range: ByteRange, ifMatch: string | undefined): Strand[] {
    const rope = this.#ropes.get(key)
    checkVersion(ifMatch, rope?.etag ?? 'none', 'copyPart', key)
    const slices: Strand[] = []
    let at = 0
    for (const strand of rope?.strands ?? []) {
      const start = Math.max(0, range.offset - at)
      const sizeBytes = Math.min(strand.sizeBytes, range.offset + range.lengthBytes - at) - start
      at += strand.sizeBytes
      if (sizeBytes <= 0) continue
      if ('from' in strand) slices.push({ sizeBytes, from: strand.from + start })
      else slices.push({ sizeBytes, bytes: strand.bytes.subarray(start, start + sizeBytes) })
    }
    return slices
  }

  etagOf(key: string): string | undefined {
    return this.#ropes.get(key)?.etag
  }

  override async head(key: string): Promise<ObjectInfo> {
    return this.#ropes.has(key) ? this.#info(key) : this.inner.head(key)
  }

  override async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    if (!this.#ropes.has(key)) return this.inner.get(key, options)
    const info = this.#info(key)
    const range = options.range ?? { offset: 0, lengthBytes: info.sizeBytes }
    return { info, body: spun(this.slice(key, range, options.ifMatch)) }
  }

  override async prepareRead(key: string, range: ByteRange, options: PrepareReadOptions = {}): Promise<ReadPlan> {
    if (!this.#ropes.has(key)) return this.inner.prepareRead(key, range, options)
    const run: ReadPlan['run'] = async sink => {
      const { info, body } = await this.get(key, { ...options, signal: abortSignalOf(options.signal), range })
      for await (const chunk of body) fillSink(sink, chunk)
      return info
    }
    return { key, range, run }
  }

  override async createUpload(key: string): Promise<Upload> {
    return new RopeUpload(this, key)
  }

  override async traits(key: string): Promise<ObjectTraits> {
    return this.#ropes.has(key) ? {} : this.inner.traits(key)
  }

  override async delete(entries: readonly DeleteEntry[]): Promise<readonly DeleteResult[]> {
    for (const { key } of entries) this.#ropes.delete(key)
    return this.inner.delete(entries)
  }

  #info(key: string): ObjectInfo {
    const { etag, strands } = this.#ropes.get(key) ?? { etag: '', strands: [] }
    return { key, etag, sizeBytes: sizeOf(strands), lastModifiedMs: 1_600_000_000_000, metadata: {}, headers: {} }
  }
}

class RopeUpload implements Upload {
  readonly uploadId = 'rope'
  readonly key: string
  readonly #store: RopeStore
  readonly #parts = new Map<number, CompletedPart & { readonly strands: readonly Strand[] }>()

  constructor(store: RopeStore, key: string) {
    this.#store = store
    this.key = key
  }

  async part(number: number, body: Body): Promise<CompletedPart> {
    const bytes = await collectBody(body, 'part', this.key, undefined)
    return this.#keep(number, [{ sizeBytes: bytes.length, bytes }])
  }

  async copyPart(number: number, source: CopyPartSource): Promise<CompletedPart> {
    return this.#keep(number, this.#store.slice(source.key, source.range, source.sourceIfMatch))
  }

  async complete(parts: readonly CompletedPart[], options: WriteConditions = {}): Promise<WriteResult> {
    const { multipart } = this.#store.capabilities
    const ordered = checkedParts(parts, number => this.#parts.get(number), multipart, this.key)
    checkConditions(options, this.#store.etagOf(this.key), 'complete', this.key)
    const strands = ordered.flatMap(part => part.strands)
    return this.#store.keep(this.key, strands)
  }

  async abort(): Promise<void> {
    this.#parts.clear()
  }

  #keep(number: number, strands: readonly Strand[]): CompletedPart {
    const part = { number, etag: `part-${number}`, sizeBytes: sizeOf(strands) }
    this.#parts.set(number, { ...part, strands })
    return part
  }
}

function sizeOf(strands: readonly Strand[]): number {
  return strands.reduce((sum, strand) => sum + strand.sizeBytes, 0)
}

async function* spun(strands: readonly Strand[]): AsyncGenerator<Uint8Array> {
  for (const strand of strands)
    for (let at = 0; at < strand.sizeBytes; at += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, strand.sizeBytes - at)
      yield 'bytes' in strand ? strand.bytes.subarray(at, at + length) : grownBytes(strand.from + at, length)
    }
}
