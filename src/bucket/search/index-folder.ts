import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyLocks } from '../../backend/local/key-locks.js'
import { StoreError } from '../../backend/store-error.js'
import { isDamage } from './engine.js'
import { IndexFile } from './index-file.js'

/** An index file, and which one of those that followed each other in its folder. */
export interface OpenIndex {
  readonly file: IndexFile
  readonly generation: number
}

/**
 * The folder of one bucket's index: `index-N.db`, of which the highest N counts, what SQLite keeps beside it, and lock
 * files. A file that was damaged is not repaired in place: the next one takes its place under a name of its own, so that
 * a process that still has the old one open can't disturb it.
 */
export class IndexFolder {
  readonly #path: string
  readonly #isTemporary: boolean
  readonly #source: string
  readonly #locks: KeyLocks

  private constructor(path: string, isTemporary: boolean, source: string) {
    this.#path = path
    this.#isTemporary = isTemporary
    this.#source = source
    this.#locks = new KeyLocks(path)
  }

  /** `source` says what is indexed. Without a path it is a temporary folder. */
  static async open(path: string | undefined, source: string): Promise<IndexFolder> {
    try {
      if (path === undefined)
        return new IndexFolder(await mkdtemp(join(tmpdir(), 'mount-bucket-search-')), true, source)
      await mkdir(path, { recursive: true, mode: 0o700 })
      return new IndexFolder(path, false, source)
    } catch (error) {
      throw folderError(error)
    }
  }

  /** One update at a time, of all processes. */
  async whileUpdating<T>(signal: AbortSignal | undefined, step: () => Promise<T>): Promise<T> {
    return this.#withLock('update', signal, step)
  }

  /** The file that counts. `damaged` is the generation that was found damaged: a later one is then made, or taken. */
  async openIndex(damaged = -1): Promise<OpenIndex> {
    const open = async (): Promise<OpenIndex> => {
      const newest = Math.max(0, ...(await this.#generations()))
      if (newest > damaged) {
        try {
          return { file: await this.#open(newest), generation: newest }
        } catch (error) {
          if (!isDamage(error)) throw error
        }
      }
      const file = await this.#open(newest + 1)
      await this.#removeUpTo(newest)
      return { file, generation: newest + 1 }
    }
    return this.#withLock('open', undefined, open)
  }

  /** To be called once its files are closed. */
  async close(): Promise<void> {
    if (this.#isTemporary) await rm(this.#path, { recursive: true, force: true })
  }

  #open(generation: number): Promise<IndexFile> {
    return IndexFile.open(join(this.#path, `index-${generation}.db`), this.#source)
  }

  async #generations(): Promise<readonly number[]> {
    const names = await readdir(this.#path)
    return names.flatMap(name => /^index-(\d{1,9})\.db$/.exec(name)?.[1] ?? []).map(Number)
  }

  async #removeUpTo(last: number): Promise<void> {
    const old = (await readdir(this.#path)).filter(
      name => Number(/^index-(\d+)\.db/.exec(name)?.[1] ?? Infinity) <= last,
    )
    for (const name of old) await rm(join(this.#path, name), { force: true })
  }

  async #withLock<T>(name: string, signal: AbortSignal | undefined, step: () => Promise<T>): Promise<T> {
    try {
      return await this.#locks.withLock(name, signal, 'search', step)
    } catch (error) {
      throw folderError(error)
    }
  }
}

/** Failures of the disk, as errors of the one family. */
function folderError(error: unknown): unknown {
  const { code } = error as { readonly code?: unknown }
  if (error instanceof StoreError || typeof code !== 'string') return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StoreError('unavailable', `the folder of the search index can't be used: ${reason}`, {
    cause: error,
    operation: 'search',
    retryable: false,
    code,
  })
}
