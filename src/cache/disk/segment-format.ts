import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { BlockSource } from '../block.js'

/**
 * The format of a segment, which holds up to 4 MiB of one version of one object:
 *
 *     0     8  magic
 *     8     4  length of the identity in bytes
 *     12    4  CRC32 of the identity
 *     16       identity: JSON, [store, endpoint, key, ETag, size of the object, index of the segment]
 *     3584     table: for each of 64 cells, 4 bytes CRC32 of its bytes and 4 bytes of their number (0: not there)
 *     4096     cells of 64 KiB at fixed places; the last one of an object is shorter
 *
 * Numbers are little-endian. The CRC32 of a cell begins with that of the identity and the cell's index, so that bytes
 * in a wrong place do not fit. Any process may write any cell at any time: the bytes of a cell are always the same ones,
 * and what was torn does not fit its CRC32. It is part of what a release must keep, or the folder's name changes.
 */
export const CELL_BYTES = 64 * 1024
export const SEGMENT_CELLS = 64
export const SEGMENT_BYTES = CELL_BYTES * SEGMENT_CELLS
export const HEADER_BYTES = 4096
export const TABLE_OFFSET = 3584

const MAGIC = Buffer.from('MBCACHE1', 'latin1')
const IDENTITY_OFFSET = 16
const ENTRY_BYTES = 8

/** Which store's objects: the URL of the whole bucket, and where its service is if that isn't the usual place. */
export interface CachedStore {
  readonly url: string
  readonly endpoint: string | undefined
}

/** What a segment holds a part of. */
export interface SegmentIdentity {
  readonly text: Buffer
  /** Of the file: no other segment has it. */
  readonly name: string
  readonly sizeBytes: number
  readonly segment: number
}

/** Undefined for a version whose names are longer than a header has room for. */
export function identityOf(store: CachedStore, version: BlockSource, segment: number): SegmentIdentity | undefined {
  const { key, etag, sizeBytes } = version
  const text = Buffer.from(JSON.stringify([store.url, store.endpoint ?? '', key, etag, sizeBytes, segment]))
  if (text.length > TABLE_OFFSET - IDENTITY_OFFSET) return undefined
  return { text, name: createHash('sha256').update(text).digest('hex').slice(0, 40), sizeBytes, segment }
}

/** A header with an empty table. */
export function encodeHeader(identity: SegmentIdentity): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.writeUInt32LE(identity.text.length, 8)
  header.writeUInt32LE(crc32(identity.text), 12)
  identity.text.copy(header, IDENTITY_OFFSET)
  return header
}

/** The text of a header's identity; undefined where it is damaged or no header at all. */
export function identityText(header: Buffer): Buffer | undefined {
  if (header.length < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  const lengthBytes = header.readUInt32LE(8)
  if (lengthBytes > TABLE_OFFSET - IDENTITY_OFFSET) return undefined
  const text = header.subarray(IDENTITY_OFFSET, IDENTITY_OFFSET + lengthBytes)
  return crc32(text) === header.readUInt32LE(12) ? text : undefined
}

/** The store that a header names; undefined where it is damaged. */
export function storeOf(header: Buffer): CachedStore | undefined {
  const text = identityText(header)
  if (text === undefined) return undefined
  const [url, endpoint] = JSON.parse(text.toString()) as readonly unknown[]
  return { url: String(url), endpoint: endpoint === '' ? undefined : String(endpoint) }
}

/** Which cells a segment has, and whether bytes are theirs. Lies over the header's bytes. */
export class CellTable {
  readonly bytes: Buffer
  readonly #identity: SegmentIdentity
  readonly #seed: number

  constructor(header: Buffer, identity: SegmentIdentity) {
    this.bytes = header.subarray(TABLE_OFFSET, HEADER_BYTES)
    this.#identity = identity
    this.#seed = crc32(identity.text)
  }

  /** Bytes of a whole cell; 0 behind the end of the object. */
  lengthOf(cell: number): number {
    const { segment, sizeBytes } = this.#identity
    const start = segment * SEGMENT_BYTES + cell * CELL_BYTES
    return Math.max(0, Math.min(CELL_BYTES, sizeBytes - start))
  }

  has(cell: number): boolean {
    const lengthBytes = this.lengthOf(cell)
    return lengthBytes > 0 && this.bytes.readUInt32LE(cell * ENTRY_BYTES + 4) === lengthBytes
  }

  matches(cell: number, bytes: Uint8Array): boolean {
    return this.has(cell) && this.bytes.readUInt32LE(cell * ENTRY_BYTES) === this.#sum(cell, bytes)
  }

  set(cell: number, bytes: Uint8Array): void {
    this.bytes.writeUInt32LE(this.#sum(cell, bytes), cell * ENTRY_BYTES)
    this.bytes.writeUInt32LE(this.lengthOf(cell), cell * ENTRY_BYTES + 4)
  }

  remove(cell: number): void {
    this.bytes.fill(0, cell * ENTRY_BYTES, (cell + 1) * ENTRY_BYTES)
  }

  /** Where the entries of some cells lie in the file. */
  entries(first: number, count: number): { readonly bytes: Buffer; readonly position: number } {
    const start = first * ENTRY_BYTES
    return { bytes: this.bytes.subarray(start, start + count * ENTRY_BYTES), position: TABLE_OFFSET + start }
  }

  #sum(cell: number, bytes: Uint8Array): number {
    return crc32(bytes, (this.#seed ^ cell) >>> 0)
  }
}
