import { checkKey } from '../keys.js'
import type { CallOptions, DeleteEntry, DeleteResult } from '../object-store.js'
import { isStoreError, type StoreError } from '../store-error.js'
import type { Conditions } from './conditions.js'
import { MAX_DELETE_KEYS } from './limits.js'
import type { ObjectRequests } from './requests.js'

const SINGLE_AT_ONCE = 8
/** What XML 1.0 (2.2) has no way to write; the request for one key carries it percent-encoded. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML excludes
export const NOT_IN_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/

/** Deletes any number of keys: in bulk where no condition and no strange character forbids it. */
export class BulkDelete {
  readonly #objects: ObjectRequests
  readonly #conditions: Conditions
  /** Set once the server has refused DeleteObjects as such. */
  #singleOnly = false

  constructor(objects: ObjectRequests, conditions: Conditions) {
    this.#objects = objects
    this.#conditions = conditions
  }

  /** Rejects only when no key at all has been answered for. */
  async run(entries: readonly DeleteEntry[], options: CallOptions): Promise<readonly DeleteResult[]> {
    const errors = new Map<DeleteEntry, StoreError>()
    const bulk: DeleteEntry[] = []
    const single: DeleteEntry[] = []
    for (const entry of entries) {
      const invalid = invalidKey(entry.key)
      if (invalid !== undefined) errors.set(entry, invalid)
      else if (entry.ifMatch !== undefined || NOT_IN_XML.test(entry.key)) single.push(entry)
      else bulk.push(entry)
    }
    const unanswered: StoreError[] = []
    const failed = (batch: readonly DeleteEntry[], error: StoreError) => {
      if (!isAnswer(error)) unanswered.push(...batch.map(() => error))
      for (const entry of batch) errors.set(entry, error)
    }
    for (let at = 0; at < bulk.length; at += MAX_DELETE_KEYS)
      await this.#deleteBatch(bulk.slice(at, at + MAX_DELETE_KEYS), options, single, failed)
    await this.#deleteEach(single, options, failed)
    const [first] = unanswered
    if (first !== undefined && unanswered.length === entries.length) throw first
    return entries.map(entry => {
      const error = errors.get(entry)
      return error === undefined ? { key: entry.key } : { key: entry.key, error }
    })
  }

  /** What can't go in bulk after all is put into `single`. */
  async #deleteBatch(
    batch: readonly DeleteEntry[],
    options: CallOptions,
    single: DeleteEntry[],
    failed: (batch: readonly DeleteEntry[], error: StoreError) => void,
  ): Promise<void> {
    if (batch.length === 1 || this.#singleOnly) {
      single.push(...batch)
      return
    }
    try {
      const failures = await this.#objects.deleteMany(
        batch.map(entry => entry.key),
        options.signal,
      )
      for (const { key, error } of failures)
        failed(
          batch.filter(entry => entry.key === key),
          error,
        )
    } catch (error) {
      if (!isStoreError(error)) throw error
      if (error.kind === 'unsupported') {
        this.#singleOnly = true
        single.push(...batch)
      } else failed(batch, error)
    }
  }

  async #deleteEach(
    entries: readonly DeleteEntry[],
    options: CallOptions,
    failed: (batch: readonly DeleteEntry[], error: StoreError) => void,
  ): Promise<void> {
    const waiting = entries.values()
    const worker = async () => {
      for (const entry of waiting) {
        try {
          const wire = await this.#conditions.apply('delete', entry.key, { ifMatch: entry.ifMatch }, options)
          await this.#objects.delete(entry.key, wire, options.signal)
        } catch (error) {
          if (!isStoreError(error)) throw error
          failed([entry], error)
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(SINGLE_AT_ONCE, entries.length) }, worker))
  }
}

/** The server looked at this very key; anything else says nothing about it. */
function isAnswer(error: StoreError): boolean {
  return error.kind === 'precondition-failed'
}

function invalidKey(key: string): StoreError | undefined {
  try {
    checkKey(key, 'delete')
    return undefined
  } catch (error) {
    if (isStoreError(error)) return error
    throw error
  }
}
