import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../backend/log.js'

/** An upload that was begun and may go on after a crash. */
export interface UploadRecord {
  readonly url: string
  readonly key: string
  readonly uploadId: string
  readonly partBytes: number
  readonly sizeBytes: number
  /** Of the whole file, in hex: another content is another upload. */
  readonly sha256: string
}

/**
 * Remembers unfinished uploads as one file each in a folder. The store's own list of unfinished uploads doesn't tell whose
 * they are: only what is recorded here is gone on with. Without a folder nothing is remembered.
 */
export class UploadRecords {
  readonly #folder: string | undefined
  readonly #url: string
  readonly #log: Log

  constructor(folder: string | undefined, url: string, log: Log) {
    this.#folder = folder
    this.#url = url
    this.#log = log
  }

  /** False: what is not finished has to be given up at once. */
  get areKept(): boolean {
    return this.#folder !== undefined
  }

  async load(key: string): Promise<UploadRecord | undefined> {
    const path = this.#pathOf(key)
    if (path === undefined) return undefined
    try {
      const record: unknown = JSON.parse(await readFile(path, 'utf8'))
      return isRecord(record) && record.url === this.#url && record.key === key ? record : undefined
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn('a record of an unfinished upload can not be read: it is begun anew', { key, error })
      return undefined
    }
  }

  /** Before the first part is sent. */
  async save(record: Omit<UploadRecord, 'url'>): Promise<void> {
    const path = this.#pathOf(record.key)
    if (path === undefined || this.#folder === undefined) return
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const temporary = `${path}.${randomUUID()}`
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(JSON.stringify({ ...record, url: this.#url }))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  }

  async forget(key: string): Promise<void> {
    const path = this.#pathOf(key)
    if (path !== undefined) await rm(path, { force: true })
  }

  #pathOf(key: string): string | undefined {
    if (this.#folder === undefined) return undefined
    const name = createHash('sha256').update(`${this.#url}\0${key}`).digest('hex').slice(0, 32)
    return join(this.#folder, `${name}.json`)
  }
}

function isRecord(value: unknown): value is UploadRecord {
  if (typeof value !== 'object' || value === null) return false
  const record = value as Readonly<Record<string, unknown>>
  const texts = [record.url, record.key, record.uploadId, record.sha256]
  const numbers = [record.partBytes, record.sizeBytes]
  return texts.every(each => typeof each === 'string') && numbers.every(each => Number.isSafeInteger(each))
}
