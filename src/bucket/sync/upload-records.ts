import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '../../backend/local/local-errors.js'
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
      const record = parsed(await unlessMissing(readFile(path, 'utf8')))
      return record?.url === this.#url && record.key === key ? record : undefined
    } catch (error) {
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

  /** Those that nobody has gone on with for so long; what can't be read is passed over. */
  async *olderThan(ageMs: number, nowMs: number): AsyncGenerator<UploadRecord> {
    if (this.#folder === undefined) return
    for (const name of await namesIn(this.#folder)) {
      const path = join(this.#folder, name)
      const stats = await unlessMissing(stat(path))
      if (stats === undefined || stats.mtimeMs > nowMs - ageMs) continue
      const record = parsed(await unlessMissing(readFile(path, 'utf8')))
      if (record?.url === this.#url) yield record
    }
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

/** No record where the text is none, as after a power failure. */
function parsed(text: string | undefined): UploadRecord | undefined {
  try {
    const value: unknown = JSON.parse(text ?? 'null')
    return isRecord(value) ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const names = (await unlessMissing(readdir(folder))) ?? []
  return names.filter(name => name.endsWith('.json'))
}

function isRecord(value: unknown): value is UploadRecord {
  if (typeof value !== 'object' || value === null) return false
  const record = value as Readonly<Record<string, unknown>>
  const texts = [record.url, record.key, record.uploadId, record.sha256]
  const numbers = [record.partBytes, record.sizeBytes]
  return texts.every(each => typeof each === 'string') && numbers.every(each => Number.isSafeInteger(each))
}
