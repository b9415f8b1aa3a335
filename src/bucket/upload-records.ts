import { createHash } from 'node:crypto'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode, unlessMissing } from '../backend/local/local-errors.js'
import { OwnedFile } from '../backend/local/owned-file.js'
import type { Log } from '../backend/log.js'

/** An upload that was begun and may go on after a crash. */
export interface UploadRecord {
  readonly store: string
  readonly key: string
  readonly uploadId: string
  readonly partBytes: number
  readonly sizeBytes: number
  /** Of the bytes and of all that is stored with them: another content is another upload. */
  readonly content: string
}

/**
 * Remembers unfinished uploads as one file each in a folder. The store's own list of unfinished uploads doesn't tell whose
 * they are: only what is recorded here is gone on with, by one program at a time. Without a folder nothing is remembered.
 */
export class UploadRecords {
  readonly #folder: string | undefined
  readonly #store: string
  readonly #log: Log

  /** `store` tells the bucket apart from all others. */
  constructor(folder: string | undefined, store: string, log: Log) {
    this.#folder = folder
    this.#store = store
    this.#log = log
  }

  /** The record of a key, if need be an empty one; undefined where nothing is remembered, or another program uploads to this key. */
  async claim(key: string): Promise<ClaimedRecord | undefined> {
    if (this.#folder === undefined) return undefined
    const path = join(this.#folder, this.#nameOf(key))
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      const file = (await OwnedFile.open(path)) ?? (await created(path))
      return file === undefined ? undefined : await ClaimedRecord.of(file, this.#store, this.#log)
    } catch (error) {
      this.#log.warn('an upload can not be remembered: if it is interrupted it begins anew', { key, error })
      return undefined
    }
  }

  /** Those that nobody has worked on for so long; each is given up when the next is asked for. */
  async *unusedFor(ageMs: number, nowMs: number): AsyncGenerator<ClaimedRecord> {
    if (this.#folder === undefined) return
    for (const name of await namesIn(this.#folder)) {
      const path = join(this.#folder, name)
      const isUnused = async () => ((await unlessMissing(stat(path)))?.mtimeMs ?? nowMs) <= nowMs - ageMs
      if (!(await isUnused())) continue
      const file = await OwnedFile.open(path)
      if (file === undefined) continue
      const claimed = await ClaimedRecord.of(file, this.#store, this.#log)
      try {
        // Whoever had it until now may have gone on with it.
        if (await isUnused()) yield claimed
      } finally {
        await claimed.close()
      }
    }
  }

  #nameOf(key: string): string {
    return `${createHash('sha256').update(`${this.#store}\0${key}`).digest('hex').slice(0, 32)}.json`
  }
}

/** The record of one key, which is this process's own until it is closed. */
export class ClaimedRecord {
  readonly #file: OwnedFile
  readonly #store: string
  readonly #log: Log
  #record: UploadRecord | undefined

  private constructor(file: OwnedFile, store: string, log: Log, record: UploadRecord | undefined) {
    this.#file = file
    this.#store = store
    this.#log = log
    this.#record = record
  }

  static async of(file: OwnedFile, store: string, log: Log): Promise<ClaimedRecord> {
    return new ClaimedRecord(file, store, log, parsed(await file.handle.readFile('utf8')))
  }

  /** What is remembered; undefined for nothing that could be gone on with. */
  get record(): UploadRecord | undefined {
    return this.#record
  }

  /** An upload of another bucket. */
  get isForeign(): boolean {
    return this.#record !== undefined && this.#record.store !== this.#store
  }

  /** Before the first part is sent. Never rejects: what is not remembered begins anew. */
  async save(record: Omit<UploadRecord, 'store'>): Promise<void> {
    const { handle } = this.#file
    try {
      this.#record = undefined
      await handle.truncate(0)
      await handle.write(JSON.stringify({ ...record, store: this.#store }), 0)
      await handle.sync()
      this.#record = { ...record, store: this.#store }
    } catch (error) {
      this.#log.warn('an upload can not be remembered: if it is interrupted it begins anew', { key: record.key, error })
    }
  }

  /** Its upload was worked on just now. Never rejects. */
  async touch(): Promise<void> {
    const now = new Date()
    await this.#file.handle.utimes(now, now).catch((error: unknown) => this.#log.debug('no time is kept', { error }))
  }

  /** Its upload is no more. */
  forget(): void {
    this.#record = undefined
  }

  /** One without an upload is removed. Never rejects: a record of what is no more is found to be one. */
  async close(): Promise<void> {
    const isOver = this.#record === undefined
    const failed = (error: unknown) => this.#log.warn('a record of an upload can not be given up', { error })
    if (isOver) await this.#file.remove().catch(failed)
    await this.#file.close().catch(failed)
  }
}

/** Undefined where another program was quicker. */
async function created(path: string): Promise<OwnedFile | undefined> {
  try {
    return await OwnedFile.create(path, 0o600)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined
    throw error
  }
}

/** No record where the text is none, as after a power failure. */
function parsed(text: string): UploadRecord | undefined {
  try {
    const value: unknown = JSON.parse(text === '' ? 'null' : text)
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
  const texts = [record.store, record.key, record.uploadId, record.content]
  const numbers = [record.partBytes, record.sizeBytes]
  return texts.every(each => typeof each === 'string') && numbers.every(each => Number.isSafeInteger(each))
}
