import type { Signal } from '../../call-signal.js'
import { closableBody, discardBody } from '../../closable-body.js'
import type {
  ByteRange,
  GetOptions,
  GetResult,
  ObjectInfo,
  ObjectStore,
  PrepareReadOptions,
  ReadPlan,
  ReadSink,
} from '../../object-store.js'
import { StoreError } from '../../store-error.js'
import type { Attempt } from './attempt.js'
import { CountingSink } from './retry-bodies.js'
import { RetryBudget } from './retry-budget.js'
import { begun } from './retry-loop.js'
import type { RetryPolicy } from './retry-policy.js'

/** A GET whose body goes on, from where it broke off, with another GET of the same version. */
export async function retriedGet(
  policy: RetryPolicy,
  store: ObjectStore,
  key: string,
  options: GetOptions,
): Promise<GetResult> {
  const budget = new RetryBudget(policy)
  const begin = (range: ByteRange | undefined, ifMatch: string | undefined) =>
    begun(
      policy,
      {
        operation: 'get',
        key,
        signal: options.signal,
        run: attempt => store.get(key, { ...options, range, ifMatch, ...attempt.options }),
        discard: late => void discardBody(late.body),
      },
      budget,
    )
  const first = await begin(options.range, options.ifMatch)
  first.attempt.pause()
  const { info } = first.value
  const { offset, end } = wanted(options.range, info)
  const body = new ResumedBody(first.value.body, first.attempt, {
    key,
    budget,
    signal: options.signal,
    sizeBytes: end - offset,
    resume: doneBytes => begin({ offset: offset + doneBytes, lengthBytes: end - offset - doneBytes }, info.etag),
  })
  return { info, body: closableBody(body.bytes(), () => body.close(), options.signal) }
}

function wanted(range: ByteRange | undefined, info: ObjectInfo): { readonly offset: number; readonly end: number } {
  const offset = range?.offset ?? 0
  return { offset, end: Math.min(info.sizeBytes, offset + (range?.lengthBytes ?? info.sizeBytes)) }
}

interface ResumeSettings {
  readonly key: string
  readonly budget: RetryBudget
  readonly signal: Signal | undefined
  readonly sizeBytes: number
  readonly resume: (doneBytes: number) => ReturnType<typeof begun<GetResult>>
}

class ResumedBody {
  readonly #settings: ResumeSettings
  #current: AsyncIterator<Uint8Array>
  #attempt: Attempt

  constructor(body: AsyncIterable<Uint8Array>, attempt: Attempt, settings: ResumeSettings) {
    this.#current = body[Symbol.asyncIterator]()
    this.#attempt = attempt
    this.#settings = settings
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    const { budget, sizeBytes } = this.#settings
    let doneBytes = 0
    budget.progress()
    try {
      for (;;) {
        const step = await this.#next(doneBytes)
        if (step === 'resumed') continue
        if (step.done === true) return
        doneBytes += step.value.byteLength
        if (doneBytes > sizeBytes) throw this.#error('gave more bytes than it announced')
        budget.progress()
        yield step.value
        budget.progress()
      }
    } finally {
      await this.close()
    }
  }

  async close(): Promise<void> {
    this.#attempt.end()
    await this.#current.return?.()
  }

  /** The next chunk; after a failure that a new GET can mend, the body goes on with that one. */
  async #next(doneBytes: number): Promise<IteratorResult<Uint8Array, unknown> | 'resumed'> {
    const { budget, sizeBytes, signal, resume } = this.#settings
    const attempt = this.#attempt
    try {
      attempt.resume()
      const step = await attempt.race(this.#current.next())
      attempt.pause()
      if (step.done === true && doneBytes < sizeBytes)
        throw this.#error(`ended after ${doneBytes} of ${sizeBytes} bytes`)
      return step
    } catch (caught) {
      attempt.end()
      const error = attempt.explain(caught)
      if (doneBytes >= sizeBytes) throw error
      await budget.spend(error, 'get', signal)
      const { value, attempt: next } = await resume(doneBytes)
      this.#current = value.body[Symbol.asyncIterator]()
      this.#attempt = next
      return 'resumed'
    }
  }

  #error(message: string): StoreError {
    const { key } = this.#settings
    return new StoreError('corrupt', `get: the body ${message}`, { key, operation: 'get' })
  }
}

/**
 * A plan of which each try prepares its own part: the next one goes on where the one before failed. So the first try
 * is watched and repeated as a whole, its preparation with it.
 */
export function retriedPlan(
  policy: RetryPolicy,
  store: ObjectStore,
  key: string,
  range: ByteRange,
  options: PrepareReadOptions,
): ReadPlan {
  const run = async (sink: ReadSink, signal?: Signal): Promise<ObjectInfo> => {
    const budget = new RetryBudget(policy)
    let doneBytes = 0
    let broken: unknown
    const runOnce = async (attempt: Attempt) => {
      if (broken !== undefined) throw broken
      const rest = { offset: range.offset + doneBytes, lengthBytes: range.lengthBytes - doneBytes }
      const plan = await store.prepareRead(key, rest, { ...options, ...attempt.options })
      const counting = new CountingSink(sink, () => {
        attempt.progress()
        budget.progress()
      })
      try {
        return await plan.run(counting, attempt.signal)
      } catch (error) {
        doneBytes += counting.receivedBytes
        const isResumable = doneBytes === 0 || (options.ifMatch !== undefined && doneBytes < range.lengthBytes)
        if (!isResumable) broken = final(error)
        throw broken ?? error
      }
    }
    const call = { operation: 'get', key, signal: signal ?? options.signal, isWaitedFor: true, run: runOnce }
    const { value, attempt } = await begun(policy, call, budget)
    attempt.end()
    return value
  }
  return { key, range, run }
}

/** An error that no further plan mends: no version is named that it could go on with, or all bytes are there already. */
function final(error: unknown): unknown {
  if (!(error instanceof StoreError) || !error.retryable) return error
  const { kind, key, operation, code } = error
  return new StoreError(kind, error.message, {
    cause: error,
    retryable: false,
    ...(key !== undefined && { key }),
    ...(operation !== undefined && { operation }),
    ...(code !== undefined && { code }),
  })
}
