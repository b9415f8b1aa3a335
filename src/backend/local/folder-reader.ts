import type { BigIntStats } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { compareKeys } from '../keys.js'
import { type KeyTree, RESERVED } from './key-paths.js'
import { isReserved, type Layout } from './layout.js'
import { unlessMissing } from './local-errors.js'
import type { ObjectFiles } from './object-files.js'

/** Names read at once; between them others get their turn. */
const READ_AT_ONCE = 512

/** A folder that changed so shortly before it was read may change again without a later time to show for it. */
const SETTLED_AFTER_MS = 2000

/** One thing in a folder of keys. */
export interface FolderEntry {
  /** The segment, with `/` behind it for a folder: in the order of these the keys come. */
  readonly name: string
  readonly isFolder: boolean
  /** Where an object's file is. */
  readonly path: string
}

interface CachedFolder {
  readonly stamp: string
  readonly entries: readonly FolderEntry[]
}

/**
 * Reads folders of keys: the plain folder and the one in the key tree as one, in key order. The folders listed last are
 * remembered as long as nothing in them changes, since a large one is asked for page by page; at the most `maxNames`.
 */
export class FolderReader {
  readonly #layout: Layout
  readonly #tree: KeyTree
  readonly #files: ObjectFiles
  readonly #cache: LRUCache<string, CachedFolder>
  readonly #nowMs: () => number

  constructor(layout: Layout, tree: KeyTree, files: ObjectFiles, maxNames: number, nowMs: () => number) {
    this.#layout = layout
    this.#tree = tree
    this.#files = files
    this.#nowMs = nowMs
    this.#cache = new LRUCache({ maxSize: maxNames, sizeCalculation: folder => folder.entries.length + 1 })
  }

  /** All entries below a prefix that is empty or ends in `/`, sorted by name. */
  async read(prefix: string): Promise<readonly FolderEntry[]> {
    const folders = await this.#folders(prefix)
    const stamp = this.#stamp(folders.map(folder => folder.stats))
    const cached = this.#cache.get(prefix)
    if (stamp !== undefined && cached?.stamp === stamp) return cached.entries
    const byName = new Map<string, FolderEntry>()
    for (const folder of folders)
      for await (const entry of this.#entries(prefix, folder.path))
        if (!byName.has(entry.name)) byName.set(entry.name, entry)
    const entries = [...byName.values()].sort((a, b) => compareKeys(a.name, b.name))
    if (stamp === undefined) this.#cache.delete(prefix)
    else this.#cache.set(prefix, { stamp, entries })
    return entries
  }

  /** Whether any object is below the prefix; looks no further than the first. */
  async hasObjects(prefix: string): Promise<boolean> {
    const below: string[] = []
    for (const { path } of await this.#folders(prefix))
      for await (const entry of this.#entries(prefix, path)) {
        if (!entry.isFolder) return true
        below.push(prefix + entry.name)
      }
    for (const folder of below) if (await this.hasObjects(folder)) return true
    return false
  }

  /** The plain folder first: what is there counts before what the tree has under the same name. */
  async #folders(prefix: string): Promise<readonly { readonly path: string; readonly stats: BigIntStats }[]> {
    const plain = prefix === '' ? this.#layout.root : this.#files.plainPath(prefix.slice(0, -1))
    const paths = [this.#tree.folderOf(prefix)]
    if (plain !== undefined && (await this.#files.isRealFolder(plain))) paths.unshift(plain)
    const found = []
    for (const path of paths) {
      const stats = await unlessMissing(lstat(path, { bigint: true }), 'ENOTDIR', 'ENAMETOOLONG')
      if (stats?.isDirectory() === true) found.push({ path, stats })
    }
    if (found.length === 0) await this.#files.checkRoot()
    return found
  }

  #stamp(all: readonly BigIntStats[]): string | undefined {
    const settledMs = this.#nowMs() - SETTLED_AFTER_MS
    if (all.some(stats => Number(stats.mtimeNs / 1_000_000n) > settledMs)) return undefined
    return all.map(stats => `${stats.dev}-${stats.ino}-${stats.mtimeNs}-${stats.ctimeNs}`).join(' ')
  }

  async *#entries(prefix: string, path: string): AsyncGenerator<FolderEntry> {
    const isTree = isReserved(this.#layout, path)
    const folder = await unlessMissing(opendir(path, { bufferSize: READ_AT_ONCE }), 'ENOTDIR')
    if (folder === undefined) return
    for await (const found of folder) {
      const decoded = isTree
        ? await this.#tree.decode(found.name)
        : { segment: found.name, isFolder: found.isDirectory() }
      if (decoded === undefined || (!isTree && prefix === '' && found.name === RESERVED)) continue
      if (!decoded.isFolder && !found.isFile()) continue
      const name = decoded.isFolder ? `${decoded.segment}/` : decoded.segment
      yield { name, isFolder: decoded.isFolder, path: join(path, found.name) }
    }
  }
}
