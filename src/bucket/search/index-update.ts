import PQueue from 'p-queue'
import type { CallOptions, ListPage, ObjectStore, ObjectVersion } from '../../backend/object-store.js'
import { isStoreError } from '../../backend/store-error.js'
import type { Document, IndexedVersion } from './document.js'
import { fetchDocument, keyAlone } from './fetch-document.js'
import type { IndexFile } from './index-file.js'
import { KnownRows } from './known-rows.js'

export interface UpdateProgress {
  /** Keys that listings have told of so far. */
  readonly listed: number
  /** Objects that were fetched anew, of them those that could not be read: their keys alone are in the index. */
  readonly fetched: number
  readonly unreadable: number
  /** Keys that left the index. */
  readonly removed: number
}

export interface UpdateOptions extends CallOptions {
  /** So much of each text is looked at. Default 256 KiB; 0: none of the contents. */
  readonly maxTextBytes?: number | undefined
  /** Objects that are fetched at once. Default 16. */
  readonly concurrency?: number | undefined
  /** Called after each page of the listing, and after each group of objects. */
  readonly onProgress?: ((progress: UpdateProgress) => void) | undefined
}

const DEFAULT_TEXT_BYTES = 256 * 1024
const DEFAULT_CONCURRENCY = 16
/** One transaction: so much is lost, and fetched anew, when the process is killed. */
const GROUP_DOCUMENTS = 200
const GROUP_TEXT_LENGTH = 4 * 1024 * 1024
/** A change within the same tick of the store's clock may show in neither ETag nor time: so young versions are not relied on. */
const UNSETTLED_MS = 2000

/**
 * Brings the index to what a listing of the bucket tells: what is new or changed is fetched, what has gone leaves. The
 * index is walked beside the listing, page by page, so that memory is bounded whatever the bucket holds. Whoever calls it
 * sees to it that no other update of the same file runs.
 */
export class IndexUpdate {
  readonly #store: ObjectStore
  readonly #file: IndexFile
  readonly #options: UpdateOptions
  readonly #maxTextBytes: number
  readonly #nowMs: () => number
  readonly #queue: PQueue
  /** Fetched and not in the file yet: at the most one group, and what is under way. */
  #group: Document[] = []
  #groupTextLength = 0
  #progress = { listed: 0, fetched: 0, unreadable: 0, removed: 0 }
  #failure: unknown

  constructor(store: ObjectStore, file: IndexFile, options: UpdateOptions, nowMs: () => number) {
    this.#store = store
    this.#file = file
    this.#options = options
    this.#maxTextBytes = options.maxTextBytes ?? DEFAULT_TEXT_BYTES
    this.#nowMs = nowMs
    this.#queue = new PQueue({ concurrency: Math.max(1, options.concurrency ?? DEFAULT_CONCURRENCY) })
  }

  /** Rejects with what the store says; what was fetched by then stays in the index, and the next update goes on. */
  async run(): Promise<UpdateProgress> {
    const begunMs = this.#nowMs()
    let after = ''
    try {
      for await (const page of this.#pages()) {
        const last = page.next === undefined ? undefined : page.objects.at(-1)?.key
        if (page.next !== undefined && last === undefined) continue
        await this.#merge(page.objects, after, last)
        after = last ?? after
      }
    } finally {
      await this.#queue.onIdle()
      this.#flush()
    }
    if (this.#failure !== undefined) throw this.#failure
    this.#file.updatedMs = begunMs
    return this.#progress
  }

  /** The next page is on its way while this one is worked on. */
  async *#pages(): AsyncGenerator<ListPage> {
    const { signal, priority } = this.#options
    const ask = (cursor: string | undefined) => {
      const asked = this.#store.list({ signal, priority, cursor })
      // Its failure is met where it is awaited.
      asked.catch(() => {})
      return asked
    }
    let coming: Promise<ListPage> | undefined = ask(undefined)
    while (coming !== undefined) {
      const page: ListPage = await coming
      coming = page.next === undefined ? undefined : ask(page.next)
      yield page
    }
  }

  /** What a page tells of all keys behind `after`, up to `last` (undefined: of all there are). */
  async #merge(objects: readonly ObjectVersion[], after: string, last: string | undefined): Promise<void> {
    const known = new KnownRows(this.#file, after, last)
    for (const object of objects) {
      this.#drop(known.before(object.key))
      const row = known.at(object.key)
      if (row === undefined || this.#isStale(row, object)) await this.#fetch(object)
    }
    this.#drop(known.rest())
    this.#progress.listed += objects.length
    this.#options.onProgress?.({ ...this.#progress })
  }

  #drop(rows: Iterable<Pick<ObjectVersion, 'key'>>): void {
    let group: Pick<ObjectVersion, 'key'>[] = []
    const flush = () => {
      if (group.length === 0) return
      this.#file.remove(group)
      this.#progress.removed += group.length
      group = []
    }
    for (const row of rows) if (group.push(row) >= GROUP_DOCUMENTS) flush()
    flush()
  }

  #isStale(row: IndexedVersion, object: ObjectVersion): boolean {
    if (row.etag !== object.etag || row.sizeBytes !== object.sizeBytes || row.lastModifiedMs !== object.lastModifiedMs)
      return true
    if (row.indexedMs - row.lastModifiedMs < UNSETTLED_MS) return true
    return row.textBytes !== undefined && row.textBytes < Math.min(object.sizeBytes, this.#maxTextBytes)
  }

  async #fetch(object: ObjectVersion): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    void this.#queue.add(() => this.#fetchOne(object))
    // Those that wait are not gathered in memory.
    await this.#queue.onSizeLessThan(2)
  }

  async #fetchOne(object: ObjectVersion): Promise<void> {
    if (this.#failure !== undefined) return
    try {
      const document = await this.#read(object)
      if (document === undefined) this.#drop([object])
      else this.#add(document)
    } catch (error) {
      this.#failure ??= error
    }
  }

  /** Undefined: it has gone since it was listed. */
  async #read(object: ObjectVersion): Promise<Document | undefined> {
    const { signal, priority } = this.#options
    const options = { signal, priority, maxTextBytes: this.#maxTextBytes, nowMs: this.#nowMs() }
    try {
      return await fetchDocument(this.#store, object, options)
    } catch (error) {
      if (isStoreError(error, 'not-found')) return undefined
      if (!isStoreError(error, 'denied', 'invalid', 'unsupported')) throw error
      this.#progress.unreadable++
      return keyAlone(object)
    }
  }

  #add(document: Document): void {
    this.#progress.fetched++
    this.#group.push(document)
    this.#groupTextLength += document.text.length
    if (this.#group.length >= GROUP_DOCUMENTS || this.#groupTextLength >= GROUP_TEXT_LENGTH) this.#flush()
  }

  #flush(): void {
    if (this.#group.length === 0) return
    const group = this.#group
    this.#group = []
    this.#groupTextLength = 0
    this.#file.put(group)
    this.#options.onProgress?.({ ...this.#progress })
  }
}
