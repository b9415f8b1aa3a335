import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { unlessMissing } from './local-errors.js'
import { syncFolder } from './sync-folder.js'

/** The reserved folder of a local store; nothing in it is listed. */
export const RESERVED = '.mount-bucket'

const MAX_NAME_BYTES = 255

/** Whether a key can be a plain file of this name below the folder (unless something else is in its place). */
export function isPlainKey(key: string): boolean {
  const segments = key.split('/')
  return segments[0] !== RESERVED && segments.every(isPlainName)
}

function isPlainName(segment: string): boolean {
  if (segment === '' || segment === '.' || segment === '..' || segment.includes('\0')) return false
  return segment.length <= MAX_NAME_BYTES / 3 || Buffer.byteLength(segment) <= MAX_NAME_BYTES
}

/** One entry of a folder of the key tree. */
export interface TreeEntry {
  readonly segment: string
  readonly isFolder: boolean
}

/**
 * The tree of the keys that are no plain files. A segment is one file name: `f` (the last of a key) or `d` (a folder of
 * more), then the segment with `%` and NUL percent-encoded; so `a` and `a/b` are beside each other and `a//b` has an
 * empty folder name. A segment too long for that is `F` or `D` and the SHA-256 of it, and stands in full in the file of
 * that SHA-256 below `names/`.
 */
export class KeyTree {
  readonly root: string
  readonly #names: string
  readonly #temporary: () => string

  /** `temporary` gives paths of new files on the same disk. */
  constructor(reserved: string, temporary: () => string) {
    this.root = join(reserved, 'keys')
    this.#names = join(reserved, 'names')
    this.#temporary = temporary
  }

  /** Where the file of a key is. */
  fileOf(key: string): string {
    const segments = key.split('/')
    const last = segments.pop() ?? ''
    return join(this.root, ...segments.map(segment => encode('d', segment)), encode('f', last))
  }

  /** Where the folder is that holds the keys below a prefix that is empty or ends in `/`. */
  folderOf(prefix: string): string {
    const segments = prefix.split('/').slice(0, -1)
    return join(this.root, ...segments.map(segment => encode('d', segment)))
  }

  /** Must be called before a file is put where `fileOf` says. */
  async recordLongNames(key: string): Promise<void> {
    for (const segment of key.split('/')) {
      const name = encode('f', segment)
      if (!name.startsWith('F')) continue
      const path = join(this.#names, name.slice(1))
      if ((await unlessMissing(readFile(path))) !== undefined) continue
      const temporary = this.#temporary()
      await writeFile(temporary, segment, { flush: true })
      await mkdir(dirname(path), { recursive: true })
      await rename(temporary, path)
      await syncFolder(dirname(path))
    }
  }

  /** What a file name of the tree stands for; undefined for what the tree did not make. */
  async decode(name: string): Promise<TreeEntry | undefined> {
    const kind = name[0] ?? ''
    if (!'fdFD'.includes(kind) || kind === '') return undefined
    const isFolder = kind === 'd' || kind === 'D'
    if (kind === 'f' || kind === 'd') return { segment: unescaped(name.slice(1)), isFolder }
    const segment = await unlessMissing(readFile(join(this.#names, name.slice(1)), 'utf8'))
    return segment === undefined ? undefined : { segment, isFolder }
  }
}

function encode(kind: 'f' | 'd', segment: string): string {
  const name = kind + segment.replaceAll('%', '%25').replaceAll('\0', '%00')
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  return kind.toUpperCase() + createHash('sha256').update(segment).digest('hex')
}

function unescaped(name: string): string {
  return name.replace(/%(00|25)/g, (_, code) => (code === '00' ? '\0' : '%'))
}
