import { constants } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { type DataWrites, writeAll } from './data-writes.js'
import {
  CELL_BYTES,
  CellTable,
  encodeHeader,
  HEADER_BYTES,
  identityText,
  type SegmentIdentity,
  TABLE_OFFSET,
} from './segment-format.js'

/** A file that is no segment, or another one than its name says. */
export class DamagedSegment extends Error {
  override readonly name = 'DamagedSegment'
}

/** How old what is known of the file may be: other processes remove it and add cells. */
const FRESH_MS = 1000

/** The time of last use is written so much later at the earliest. */
const TOUCH_MS = 60_000

/**
 * One open segment. At most one call of `write` at a time; all else goes on beside it.
 *
 * Invariant: the file is open until `drop` was called and nobody uses it any more.
 */
export class SegmentFile {
  readonly #handle: FileHandle
  readonly #header: Buffer
  readonly #table: CellTable
  /** Where the file still is before its first cells are in it, and where it goes then. */
  #birth: { readonly from: string; readonly to: string } | undefined
  #users = 0
  #isDropped = false
  #checkedMs = 0
  /** Counts what this process does to the table: what was read from the file before is older. */
  #changes = 0

  private constructor(handle: FileHandle, header: Buffer, identity: SegmentIdentity) {
    this.#handle = handle
    this.#header = header
    this.#table = new CellTable(header, identity)
  }

  /** Undefined where there is none. Rejects with DamagedSegment, and with what the disk says. */
  static async open(path: string, identity: SegmentIdentity, nowMs: number): Promise<SegmentFile | undefined> {
    const handle = await openExisting(path)
    if (handle === undefined) return undefined
    try {
      const header = Buffer.alloc(HEADER_BYTES)
      await handle.read(header, 0, HEADER_BYTES, 0)
      if (identityText(header)?.equals(identity.text) !== true) throw new DamagedSegment(path)
      const file = new SegmentFile(handle, header, identity)
      file.#checkedMs = nowMs
      return file
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Others see it with its first cells. `from` is a name of its own on the same disk. */
  static async create(from: string, to: string, identity: SegmentIdentity): Promise<SegmentFile> {
    const handle = await open(from, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    const file = new SegmentFile(handle, encodeHeader(identity), identity)
    file.#birth = { from, to }
    return file
  }

  /** False once another process has removed it. Notes its use, and the cells that others have added. */
  async isThere(nowMs: number): Promise<boolean> {
    if (this.#birth !== undefined || nowMs - this.#checkedMs < FRESH_MS) return true
    this.#checkedMs = nowMs
    const { nlink, mtimeMs } = await this.#handle.stat()
    if (nlink === 0) return false
    await this.#learnTable()
    await this.#touch(mtimeMs, nowMs)
    return true
  }

  /** As `isThere` does, of one that was opened just now. */
  async noteUse(nowMs: number): Promise<void> {
    const { mtimeMs } = await this.#handle.stat()
    await this.#touch(mtimeMs, nowMs)
  }

  async #touch(mtimeMs: number, nowMs: number): Promise<void> {
    // Where it can't be noted, on a disk for reading only, nothing is ever removed either.
    if (nowMs - mtimeMs > TOUCH_MS) await this.#handle.utimes(nowMs / 1000, nowMs / 1000).catch(() => undefined)
  }

  /** What is known of it is old. */
  changed(): void {
    this.#checkedMs = 0
  }

  async #learnTable(): Promise<void> {
    const before = this.#changes
    const table = Buffer.alloc(HEADER_BYTES - TABLE_OFFSET)
    await this.#handle.read(table, 0, table.length, TABLE_OFFSET)
    if (this.#changes === before) table.copy(this.#header, TABLE_OFFSET)
  }

  /** It is in its place. */
  get isBorn(): boolean {
    return this.#birth === undefined
  }

  lengthOf(cell: number): number {
    return this.#table.lengthOf(cell)
  }

  has(cell: number): boolean {
    return this.#table.has(cell)
  }

  /** Reads `count` cells, all there, to the front of `into`; answers how many bytes of them are right, from the front. */
  async read(first: number, count: number, into: Buffer): Promise<number> {
    let wantedBytes = 0
    for (let cell = first; cell < first + count; cell++) wantedBytes += this.#table.lengthOf(cell)
    const { bytesRead } = await this.#handle.read(into, 0, wantedBytes, HEADER_BYTES + first * CELL_BYTES)
    let rightBytes = 0
    for (let cell = first; cell < first + count; cell++) {
      const end = rightBytes + this.#table.lengthOf(cell)
      if (end > bytesRead || !this.#table.matches(cell, into.subarray(rightBytes, end))) break
      rightBytes = end
    }
    return rightBytes
  }

  /** Writes whole cells, then their entries. */
  async write(first: number, bytes: Uint8Array, writes: DataWrites): Promise<void> {
    await writes.write(this.#handle, bytes, HEADER_BYTES + first * CELL_BYTES)
    let count = 0
    for (let at = 0; at < bytes.length; count++) {
      const end = at + this.#table.lengthOf(first + count)
      this.#table.set(first + count, bytes.subarray(at, end))
      at = end
    }
    this.#changes += 1
    const birth = this.#birth
    if (birth === undefined) {
      const entries = this.#table.entries(first, count)
      await writes.writeSmall(this.#handle, entries.bytes, entries.position)
      return
    }
    await writes.writeSmall(this.#handle, this.#header, 0)
    await writes.rename(birth.from, birth.to)
    this.#birth = undefined
  }

  /** Nobody gets these cells any more. */
  async remove(first: number, count: number): Promise<void> {
    for (let cell = first; cell < first + count; cell++) this.#table.remove(cell)
    this.#changes += 1
    const entries = this.#table.entries(first, count)
    // Where it can't be noted, on a disk for reading only, others find it out by themselves.
    await writeAll(this.#handle, entries.bytes, entries.position).catch(() => undefined)
  }

  /** A file without its first cells is of no use. */
  async giveUpBirth(): Promise<void> {
    if (this.#birth !== undefined) await unlink(this.#birth.from)
  }

  /** Keeps the file open until `done`. */
  use(): this {
    this.#users += 1
    return this
  }

  done(): void {
    this.#users -= 1
    this.#closeUnused()
  }

  drop(): void {
    this.#isDropped = true
    this.#closeUnused()
  }

  #closeUnused(): void {
    if (!this.#isDropped || this.#users > 0) return
    this.#handle.close().catch(() => {
      // What is in the file shows when it is read again.
    })
  }
}

/** For writing too, unless the disk is for reading only. */
async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'EROFS' || code === 'EACCES') return open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    throw error
  }
}
