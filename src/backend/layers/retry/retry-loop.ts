import type { Signal } from '../../call-signal.js'
import { serverWorkMs } from '../../server-work.js'
import { StoreError, type StoreErrorKind } from '../../store-error.js'
import { Attempt } from './attempt.js'
import { RetryBudget } from './retry-budget.js'
import type { RetryPolicy } from './retry-policy.js'

export interface RetriedCall<T> {
  readonly operation: string
  readonly key?: string | undefined
  /** The caller's. */
  readonly signal?: Signal | undefined
  /** The call changes something: without an answer its outcome is unknown. */
  readonly writes?: boolean
  /** The server works alone on so many bytes: one try has the whole time, and more for many bytes. */
  readonly serverBytes?: number
  /** One try; it passes `attempt.options` on and reports progress that it sees. */
  readonly run: (attempt: Attempt) => Promise<T>
  /**
   * A try that is given up is waited for: it uses memory of the caller, or leaves things behind that it must put in order.
   * The store ends it soon after its signal fires. Any other is left at once, even if it never ends.
   */
  readonly isWaitedFor?: boolean
  /** Receives an answer that came after the try was left. */
  readonly discard?: (late: T) => void
  /**
   * Asked when a try met an obstacle that an earlier one of unknown outcome may have put there itself: finds out and
   * answers what the call should have, or throws.
   */
  readonly settle?: (error: StoreError) => Promise<T>
  /** There was such a try before this call. */
  readonly mayBeDone?: boolean | undefined
}

/** What a repetition meets when the first try had succeeded. */
const OBSTACLES: ReadonlySet<StoreErrorKind> = new Set(['precondition-failed', 'not-found', 'no-such-upload', 'exists'])

/** Tries a call until it succeeds, fails for good, or the policy's limits are reached. */
export async function retried<T>(policy: RetryPolicy, call: RetriedCall<T>): Promise<T> {
  const timeoutMs = policy.timeoutMs + serverWorkMs(call.serverBytes ?? 0)
  const patient = { ...policy, timeoutMs }
  const { value, attempt } = await begun(patient, call, new RetryBudget(patient))
  attempt.end()
  return value
}

/** As `retried`, but the successful attempt goes on (it watches a body): the caller ends it. */
export async function begun<T>(
  policy: RetryPolicy,
  call: RetriedCall<T>,
  budget: RetryBudget,
): Promise<{ readonly value: T; readonly attempt: Attempt }> {
  let ambiguous = call.mayBeDone ?? false
  for (;;) {
    const idleTimeoutMs = call.serverBytes === undefined ? policy.attemptTimeoutMs : policy.timeoutMs
    const attempt = new Attempt({
      operation: call.operation,
      key: call.key,
      signal: call.signal,
      timers: policy.timers,
      deadlines: policy.deadlines,
      timeoutMs: Math.max(1, Math.min(budget.remainingMs, idleTimeoutMs)),
      idleTimeoutMs,
      writes: call.writes ?? false,
      onTurn: waitedMs => budget.waited(waitedMs),
    })
    try {
      const answer = call.run(attempt)
      return { value: await (call.isWaitedFor === true ? answer : attempt.race(answer, call.discard)), attempt }
    } catch (caught) {
      attempt.end()
      const error = attempt.explain(caught)
      if (ambiguous && call.settle !== undefined && OBSTACLES.has(error.kind)) {
        const value = await call.settle(error)
        return { value, attempt }
      }
      ambiguous ||= error.ambiguous
      await budget.spend(ambiguous ? asAmbiguous(error) : error, call.operation, call.signal)
    }
  }
}

/** The same error, telling that the outcome of the call is unknown. */
export function asAmbiguous(error: StoreError, message = error.message): StoreError {
  if (error.ambiguous && message === error.message) return error
  const { kind, key, operation, retryable, retryAfterMs, code } = error
  return new StoreError(kind, message, {
    cause: error,
    ambiguous: true,
    retryable,
    ...(key !== undefined && { key }),
    ...(operation !== undefined && { operation }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(code !== undefined && { code }),
  })
}
