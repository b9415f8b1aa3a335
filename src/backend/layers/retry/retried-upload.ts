import type {
  Body,
  CallOptions,
  CompletedPart,
  CopyPartSource,
  ObjectStore,
  Upload,
  WriteConditions,
  WriteResult,
} from '../../object-store.js'
import { UploadLayer } from '../upload-layer.js'
import { watchedBody } from './retry-bodies.js'
import { RetryBudget } from './retry-budget.js'
import { begun, retried } from './retry-loop.js'
import type { RetryPolicy } from './retry-policy.js'
import { settleComplete } from './settlement.js'

/** An upload whose requests are repeated; a part that is stored twice is stored once, under its number. */
export class RetriedUpload extends UploadLayer {
  readonly #policy: RetryPolicy
  readonly #store: Pick<ObjectStore, 'head'>

  constructor(inner: Upload, policy: RetryPolicy, store: Pick<ObjectStore, 'head'>) {
    super(inner)
    this.#policy = policy
    this.#store = store
  }

  override async part(number: number, body: Body, options: CallOptions = {}): Promise<CompletedPart> {
    const budget = new RetryBudget(this.#policy)
    const { value, attempt } = await begun(
      this.#policy,
      {
        operation: 'part',
        key: this.key,
        signal: options.signal,
        writes: true,
        isWaitedFor: true,
        run: attempt => this.inner.part(number, watchedBody(body, attempt, budget), { ...options, ...attempt.options }),
      },
      budget,
    )
    attempt.end()
    return value
  }

  override copyPart(number: number, source: CopyPartSource, options: CallOptions = {}): Promise<CompletedPart> {
    return retried(this.#policy, {
      operation: 'copyPart',
      key: this.key,
      signal: options.signal,
      writes: true,
      serverBytes: source.range.lengthBytes,
      run: attempt => this.inner.copyPart(number, source, { ...options, ...attempt.options }),
    })
  }

  override complete(
    parts: readonly CompletedPart[],
    options: CallOptions & WriteConditions = {},
  ): Promise<WriteResult> {
    return retried(this.#policy, {
      operation: 'complete',
      key: this.key,
      signal: options.signal,
      writes: true,
      serverBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
      run: attempt => this.inner.complete(parts, { ...options, ...attempt.options }),
      settle: error => settleComplete(this.#store, this.key, parts, error, options.signal),
      mayBeDone: options.mayBeStored,
    })
  }

  override abort(options: CallOptions = {}): Promise<void> {
    return retried(this.#policy, {
      operation: 'abort',
      key: this.key,
      signal: options.signal,
      writes: true,
      run: attempt => this.inner.abort({ ...options, ...attempt.options }),
    })
  }
}
