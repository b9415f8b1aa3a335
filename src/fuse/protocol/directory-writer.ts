import type { DirectoryEntry, DirectorySink, Entry } from '../../fs/operations.js'
import { ENTRY_OUT_BYTES, putEntryOut } from './attributes.js'
import { OUT_HEADER_BYTES } from './layout.js'
import { putInt64, wordsOf } from './words.js'

/** fuse_dirent without the name: ino, off, namelen, type. */
const DIRENT_BYTES = 24

/** Collects the answer to one READDIR or READDIRPLUS, behind room for the reply's header. */
export class DirectoryWriter implements DirectorySink {
  /** All zero where nothing has been written yet. */
  readonly #buffer: Buffer
  readonly #words: Uint32Array
  readonly #plus: boolean
  readonly #end: number
  #used = OUT_HEADER_BYTES
  #taken: number[] | undefined

  /** `sizeBytes` is what the kernel has room for. */
  constructor(sizeBytes: number, plus: boolean) {
    this.#end = OUT_HEADER_BYTES + sizeBytes
    this.#buffer = Buffer.alloc((this.#end + 7) & ~7)
    this.#words = wordsOf(this.#buffer)
    this.#plus = plus
  }

  add(entry: DirectoryEntry): boolean {
    const { name } = entry
    const nameBytes = typeof name === 'string' ? Buffer.byteLength(name) : name.length
    const head = this.#plus ? ENTRY_OUT_BYTES : 0
    const at = this.#used
    const next = at + ((head + DIRENT_BYTES + nameBytes + 7) & ~7)
    if (next > this.#end) return false
    // Node 0 where nothing is known: the kernel looks this name up when somebody asks for it.
    if (this.#plus && entry.entry !== undefined) this.#addAttributes(entry.entry, at)
    const dirent = (at + head) >> 2
    const words = this.#words
    putInt64(words, dirent, entry.ino)
    putInt64(words, dirent + 2, entry.nextOffset)
    words[dirent + 4] = nameBytes
    // DT_* is the upper part of st_mode.
    words[dirent + 5] = (entry.mode & 0o170000) >> 12
    if (typeof name === 'string') this.#buffer.write(name, at + head + DIRENT_BYTES)
    else this.#buffer.set(name, at + head + DIRENT_BYTES)
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

  #addAttributes(entry: Entry, at: number): void {
    putEntryOut(this.#words, at >> 2, entry)
    this.#taken ??= []
    this.#taken.push(entry.node)
  }
}
