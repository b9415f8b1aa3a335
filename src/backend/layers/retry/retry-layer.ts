import type { Signal } from '../../call-signal.js'
import type {
  Body,
  ByteRange,
  CallOptions,
  CompletedPart,
  CopyOptions,
  DeleteEntry,
  DeleteResult,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  ObjectTraits,
  PendingUpload,
  PrepareReadOptions,
  PutOptions,
  ReadPlan,
  TraitsOptions,
  Upload,
  WriteResult,
} from '../../object-store.js'
import type { Powers } from '../../powers.js'
import type { StoreError } from '../../store-error.js'
import { aroundPowers } from '../around-powers.js'
import { StoreLayer } from '../store-layer.js'
import type { Attempt } from './attempt.js'
import { retriedGet, retriedPlan } from './retried-read.js'
import { RetriedUpload } from './retried-upload.js'
import { watchedBody } from './retry-bodies.js'
import { RetryBudget } from './retry-budget.js'
import { begun, retried } from './retry-loop.js'
import { type RetryOptions, type RetryPolicy, retryPolicy } from './retry-policy.js'
import { settleCopy, settlePut } from './settlement.js'

/**
 * The one place where requests are repeated: only errors that are `retryable`, with exponential backoff, until a call has
 * been without progress for `timeoutMs`. Writes whose outcome is unknown are settled by looking, so that the caller sees
 * no conflict with itself.
 */
export class RetryLayer extends StoreLayer {
  readonly #policy: RetryPolicy

  constructor(inner: ObjectStore, options: RetryOptions = {}) {
    super(inner)
    this.#policy = retryPolicy(options)
  }

  override head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#retried('head', key, options, given => this.inner.head(key, { ...options, ...given }))
  }

  override list(options: ListOptions = {}): Promise<ListPage> {
    return this.#retried('list', undefined, options, given => this.inner.list({ ...options, ...given }))
  }

  override get(key: string, options: GetOptions = {}): Promise<GetResult> {
    return retriedGet(this.#policy, this.inner, key, options)
  }

  override async prepareRead(key: string, range: ByteRange, options: PrepareReadOptions = {}): Promise<ReadPlan> {
    return retriedPlan(this.#policy, this.inner, key, range, options)
  }

  override async put(key: string, body: Body, options: PutOptions = {}): Promise<WriteResult> {
    const budget = new RetryBudget(this.#policy)
    const { value, attempt } = await begun(
      this.#policy,
      {
        operation: 'put',
        key,
        signal: options.signal,
        writes: true,
        isWaitedFor: true,
        run: attempt => this.inner.put(key, watchedBody(body, attempt, budget), { ...options, ...attempt.options }),
        settle: error => settlePut(this, key, body, options.metadata ?? {}, error, options.signal),
        mayBeDone: options.mayBeStored,
      },
      budget,
    )
    attempt.end()
    return value
  }

  /** A lost answer may leave an empty upload behind, whose id nobody knows: the bucket's lifecycle rules end it. */
  override async createUpload(
    key: string,
    options: NonNullable<Parameters<ObjectStore['createUpload']>[1]> = {},
  ): Promise<Upload> {
    const upload = await this.#retried('createUpload', key, options, given =>
      this.inner.createUpload(key, { ...options, ...given }),
    )
    return new RetriedUpload(upload, this.#policy, this)
  }

  override resumeUpload(key: string, uploadId: string): Upload {
    return new RetriedUpload(this.inner.resumeUpload(key, uploadId), this.#policy, this)
  }

  override listUploads(
    options: NonNullable<Parameters<ObjectStore['listUploads']>[0]> = {},
  ): Promise<readonly PendingUpload[]> {
    return this.#retried('listUploads', undefined, options, given => this.inner.listUploads({ ...options, ...given }))
  }

  override listParts(key: string, uploadId: string, options: CallOptions = {}): Promise<readonly CompletedPart[]> {
    return this.#retried('listParts', key, options, given =>
      this.inner.listParts(key, uploadId, { ...options, ...given }),
    )
  }

  override copy(from: string, to: string, options: CopyOptions = {}): Promise<WriteResult> {
    return retried(this.#policy, {
      operation: 'copy',
      key: to,
      signal: options.signal,
      writes: true,
      serverBytes: options.sizeBytes ?? 0,
      isWaitedFor: true,
      run: attempt => this.inner.copy(from, to, { ...options, ...attempt.options }),
      settle: error => settleCopy(this, from, to, options, error),
    })
  }

  override traits(key: string, options: TraitsOptions = {}): Promise<ObjectTraits> {
    return this.#retried('traits', key, options, given => this.inner.traits(key, { ...options, ...given }))
  }

  /** Keys that failed for a passing reason are asked for again, without the others. */
  override async delete(entries: readonly DeleteEntry[], options: CallOptions = {}): Promise<readonly DeleteResult[]> {
    const results: DeleteResult[] = entries.map(({ key }) => ({ key }))
    const budget = new RetryBudget(this.#policy)
    let waiting = entries.map((_, index) => index)
    while (waiting.length > 0) {
      const asked = waiting
      const answers = await this.#deleteOnce(
        asked.flatMap(index => entries[index] ?? []),
        options,
        budget,
      )
      waiting = []
      for (const [n, index] of asked.entries()) {
        const answer = answers[n]
        if (answer !== undefined) results[index] = answer
        if (answer?.error?.retryable === true) waiting.push(index)
      }
      if (waiting.length < asked.length) budget.progress()
      const failure = answers.find(answer => answer.error?.retryable === true)?.error
      if (failure !== undefined && !(await hasTimeFor(budget, failure, options.signal))) break
    }
    return results
  }

  /** What they write is the same when it is written twice. */
  protected override wrapPowers(powers: Powers): Powers {
    return aroundPowers(powers, ({ operation, key, writes, options, serverBytes = 0 }, run) => {
      const { signal } = options
      const call = { operation, key, signal, writes, serverBytes, isWaitedFor: operation === 'copy' }
      return retried(this.#policy, { ...call, run: attempt => run({ ...options, ...attempt.options }) })
    })
  }

  async #deleteOnce(
    entries: readonly DeleteEntry[],
    options: CallOptions,
    budget: RetryBudget,
  ): Promise<readonly DeleteResult[]> {
    const call = {
      operation: 'delete',
      key: entries[0]?.key,
      signal: options.signal,
      writes: true,
      run: (attempt: Attempt) => this.inner.delete(entries, { ...options, ...attempt.options }),
    }
    const { value, attempt } = await begun(this.#policy, call, budget)
    attempt.end()
    return value
  }

  #retried<T>(
    operation: string,
    key: string | undefined,
    options: CallOptions,
    run: (given: Attempt['options']) => Promise<T>,
  ): Promise<T> {
    const { signal } = options
    return retried(this.#policy, { operation, key, signal, run: attempt => run(attempt.options) })
  }
}

/** Waits before the next try; false when the budget is spent, `aborted` is thrown. */
async function hasTimeFor(budget: RetryBudget, error: StoreError, signal: Signal | undefined): Promise<boolean> {
  try {
    await budget.spend(error, 'delete', signal)
    return true
  } catch (spent) {
    if (spent === error) return false
    throw spent
  }
}
