import { compareKeys } from '../../backend/keys.js'
import type { IndexedVersion } from './document.js'
import type { IndexFile } from './index-file.js'

const BATCH = 1000

/** Walks what the index knows of the keys behind `after`, up to and with `last`, in key order and a batch at a time. */
export class KnownRows {
  readonly #file: IndexFile
  readonly #last: string | undefined
  #after: string
  #batch: readonly IndexedVersion[] = []
  /** The place in the batch of the first row that was not handed out. */
  #at = 0
  #isEnd = false

  constructor(file: IndexFile, after: string, last: string | undefined) {
    this.#file = file
    this.#after = after
    this.#last = last
  }

  /** Takes the rows in front of `key`. */
  *before(key: string): Generator<IndexedVersion> {
    for (let row = this.#peek(); row !== undefined && compareKeys(row.key, key) < 0; row = this.#peek()) {
      this.#at++
      yield row
    }
  }

  /** Takes the row of `key`, if it is the next one. */
  at(key: string): IndexedVersion | undefined {
    const row = this.#peek()
    if (row?.key !== key) return undefined
    this.#at++
    return row
  }

  /** Takes all that are left. */
  *rest(): Generator<IndexedVersion> {
    for (let row = this.#peek(); row !== undefined; row = this.#peek()) {
      this.#at++
      yield row
    }
  }

  #peek(): IndexedVersion | undefined {
    if (this.#at >= this.#batch.length && !this.#isEnd) {
      this.#batch = this.#file.versions(this.#after, this.#last, BATCH)
      this.#at = 0
      this.#after = this.#batch.at(-1)?.key ?? this.#after
      this.#isEnd = this.#batch.length < BATCH
    }
    return this.#batch[this.#at]
  }
}
