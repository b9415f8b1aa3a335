import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import type {
  CopyOptions,
  DeleteEntry,
  DeleteResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  WriteResult,
} from '../../src/backend/object-store.js'
import { StoreError } from '../../src/backend/store-error.js'

/** A driver that dies at one of its requests: that one, carried out or not, and all later ones are never answered. */
export class DyingStore extends StoreLayer {
  readonly #lastRequest: number
  readonly #isCarriedOut: boolean
  #requests = 0
  #die: () => void = () => {}
  #bury: () => void = () => {}
  readonly #buried = new Promise<void>(resolve => {
    this.#bury = resolve
  })
  readonly died = new Promise<'died'>(resolve => {
    this.#die = () => resolve('died')
  })

  constructor(inner: ObjectStore, lastRequest: number, isCarriedOut: boolean) {
    super(inner)
    this.#lastRequest = lastRequest
    this.#isCarriedOut = isCarriedOut
  }

  /** All that waits ends with an error: nobody is interested any more. */
  bury(): void {
    this.#bury()
  }

  override head(key: string): Promise<ObjectInfo> {
    return this.#pass(() => this.inner.head(key))
  }

  override list(options?: ListOptions): Promise<ListPage> {
    return this.#pass(() => this.inner.list(options))
  }

  override copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult> {
    return this.#pass(() => this.inner.copy(from, to, options))
  }

  override delete(entries: readonly DeleteEntry[]): Promise<readonly DeleteResult[]> {
    return this.#pass(() => this.inner.delete(entries))
  }

  async #pass<T>(call: () => Promise<T>): Promise<T> {
    this.#requests += 1
    if (this.#requests < this.#lastRequest) return call()
    if (this.#requests === this.#lastRequest && this.#isCarriedOut) await call()
    this.#die()
    await this.#buried
    throw new StoreError('denied', 'the driver is dead')
  }
}
