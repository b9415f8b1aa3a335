import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import { UploadLayer } from '../../src/backend/layers/upload-layer.js'
import type {
  Body,
  CallOptions,
  CompletedPart,
  ObjectStore,
  PutOptions,
  Upload,
  WriteConditions,
  WriteResult,
} from '../../src/backend/object-store.js'
import { StoreError } from '../../src/backend/store-error.js'

/** What becomes of the next request that publishes an object. Its sender is told in both cases that nobody knows. */
export type Fate = 'carried out' | 'not carried out'

/** A store from which the answers of some requests never come. */
export class LostAnswers extends StoreLayer {
  #next: Fate | undefined

  loseNext(fate: Fate): void {
    this.#next = fate
  }

  /** Nothing is lost from now on. */
  loseNone(): void {
    this.#next = undefined
  }

  override put(key: string, body: Body, options?: PutOptions): Promise<WriteResult> {
    return this.answered(() => this.inner.put(key, body, options))
  }

  override async createUpload(key: string, options?: Parameters<ObjectStore['createUpload']>[1]): Promise<Upload> {
    return new UnansweredUpload(await this.inner.createUpload(key, options), this)
  }

  async answered(publish: () => Promise<WriteResult>): Promise<WriteResult> {
    const fate = this.#next
    this.#next = undefined
    if (fate === undefined) return publish()
    if (fate === 'carried out') await publish()
    throw new StoreError('unavailable', 'no answer', { ambiguous: true, retryable: true })
  }
}

class UnansweredUpload extends UploadLayer {
  readonly #store: LostAnswers

  constructor(inner: Upload, store: LostAnswers) {
    super(inner)
    this.#store = store
  }

  override complete(parts: readonly CompletedPart[], options?: CallOptions & WriteConditions): Promise<WriteResult> {
    return this.#store.answered(() => this.inner.complete(parts, options))
  }
}
