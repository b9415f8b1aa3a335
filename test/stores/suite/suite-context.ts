import type { ObjectHeaders, ObjectStore } from '../../../src/backend/object-store.js'

/** A store for the suite, and where in it the suite may write. */
export interface OpenedStore {
  readonly store: ObjectStore
  /** All keys of the suite begin with it: random where the bucket is shared, else it may be empty. */
  readonly prefix: string
  dispose(): Promise<void>
}

/**
 * Where a server is known to fall short of the contract. The suite asks for what is listed instead; `refuses-` permits
 * that some or all keys of the kind are refused.
 */
export type Deviation =
  | `${'put' | 'complete' | 'copy' | 'delete'}-conditions-checked`
  | `${'put' | 'complete' | 'copy' | 'delete'}-conditions-unsupported`
  | 'no-copy-part'
  | 'keys-do-not-nest'
  /** `a//b` is refused. */
  | 'refuses-empty-segments'
  /** `.` and `..` between slashes are refused. */
  | 'refuses-dot-segments'
  | 'refuses-leading-slash'
  /** A key that ends in `/` and has bytes is refused. */
  | 'refuses-trailing-slash-with-bytes'
  | 'refuses-control-characters'
  | 'refuses-backslash'
  | 'refuses-1024-byte-keys'
  | 'refuses-non-ascii-metadata'
  | `drops-${keyof ObjectHeaders}`
  /** The trait is refused; grants on Swift are taken and forgotten. */
  | `keeps-no-${'storage-class' | 'encryption' | 'tags' | 'grants'}`
  /** There are no traits: what is given is passed over. */
  | 'knows-no-traits'
  | 'accepts-small-parts'
  | 'accepts-wrong-part-etags'
  /** Complete refuses to leave a part out. */
  | 'complete-wants-every-part'
  /** Of several conditional writes at the same time, the losers may hear of a failure of the server. */
  | 'losers-of-a-race-may-fail'

export interface SuiteOptions {
  readonly deviations?: readonly Deviation[]
  /** Keys of the test that lists page by page. Default 2,500; fewer where a PUT is slow, but more than 1,000. */
  readonly manyKeys?: number
  /** The longest key in bytes. Default 1,024; a prefix layer leaves less. */
  readonly maxKeyBytes?: number
  /** The account that owns new objects, as its ACLs name it. Default `owner`. */
  readonly owner?: string
}

/** What every section of the suite gets: the store (once opened), fresh places for keys, and the deviations. */
export class SuiteContext {
  readonly manyKeys: number
  readonly maxKeyBytes: number
  readonly owner: string
  readonly #deviations: ReadonlySet<Deviation>
  #opened: OpenedStore | undefined
  #folders = 0

  constructor(options: SuiteOptions) {
    this.manyKeys = options.manyKeys ?? 2500
    this.maxKeyBytes = options.maxKeyBytes ?? 1024
    this.owner = options.owner ?? 'owner'
    this.#deviations = new Set(options.deviations)
  }

  set opened(opened: OpenedStore | undefined) {
    this.#opened = opened
  }

  get store(): ObjectStore {
    if (this.#opened === undefined) throw new Error('the store could not be opened')
    return this.#opened.store
  }

  get prefix(): string {
    return this.#opened?.prefix ?? ''
  }

  /** A prefix that no other test uses. */
  folder(): string {
    return `${this.prefix}t${++this.#folders}/`
  }

  deviates(deviation: Deviation): boolean {
    return this.#deviations.has(deviation)
  }
}
