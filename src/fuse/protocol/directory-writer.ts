import type { DirectoryEntry, DirectorySink } from '../../fs/operations.js'
import { ENTRY_OUT_BYTES, writeEntryOut } from './attributes.js'
import { OUT_HEADER_BYTES } from './layout.js'
import { writeInt64 } from './uint64.js'

/** fuse_dirent without the name: ino, off, namelen, type. */
const DIRENT_BYTES = 24

/** Collects the answer to one READDIR or READDIRPLUS, behind room for the reply's header. */
export class DirectoryWriter implements DirectorySink {
  readonly #buffer: Buffer
  readonly #plus: boolean
  readonly #end: number
  #used = OUT_HEADER_BYTES
  #taken: number[] | undefined

  /** `sizeBytes` is what the kernel has room for. */
  constructor(sizeBytes: number, plus: boolean) {
    this.#end = OUT_HEADER_BYTES + sizeBytes
    this.#buffer = Buffer.allocUnsafe(this.#end)
    this.#plus = plus
  }

  add(entry: DirectoryEntry): boolean {
    const head = this.#plus ? ENTRY_OUT_BYTES : 0
    const at = this.#used
    const next = at + ((head + DIRENT_BYTES + entry.name.length + 7) & ~7)
    if (next > this.#end) return false
    if (this.#plus) this.#addAttributes(entry, at)
    const dirent = at + head
    writeInt64(this.#buffer, entry.ino, dirent)
    writeInt64(this.#buffer, entry.nextOffset, dirent + 8)
    this.#buffer.writeUInt32LE(entry.name.length, dirent + 16)
    // DT_* is the upper part of st_mode.
    this.#buffer.writeUInt32LE((entry.mode & 0o170000) >> 12, dirent + 20)
    this.#buffer.set(entry.name, dirent + DIRENT_BYTES)
    this.#buffer.fill(0, dirent + DIRENT_BYTES + entry.name.length, next)
    this.#used = next
    return true
  }

  /** The answer so far, with the header still to be filled in. */
  get message(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }

  /** The nodes whose entries were taken: one lookup each, to be given back if the answer does not arrive. */
  get takenNodes(): readonly number[] {
    return this.#taken ?? []
  }

  #addAttributes(entry: DirectoryEntry, at: number): void {
    if (entry.entry === undefined) {
      // Node 0: the kernel looks this name up when somebody asks for it.
      this.#buffer.fill(0, at, at + ENTRY_OUT_BYTES)
      return
    }
    writeEntryOut(this.#buffer, at, entry.entry)
    this.#taken ??= []
    this.#taken.push(entry.entry.node)
  }
}
