import type { StoreErrorKind } from '../store-error.js'
import type { StoreOperation } from './store-operation.js'

/** What goes wrong. */
export interface Fault {
  /** The call rejects with this; without it, it is only delayed or cut. */
  readonly kind?: StoreErrorKind | undefined
  /**
   * `after`: the call is carried out and its answer is lost, so the error is ambiguous. Default `before`, and always so
   * for `get`.
   */
  readonly when?: 'before' | 'after' | undefined
  /** The provider's code in the error. */
  readonly code?: string | undefined
  readonly retryAfterMs?: number | undefined
  /** Before anything else happens. `Infinity`: no answer ever comes, until the signal fires. */
  readonly delayMs?: number | undefined
  /** A body or read plan breaks off after so many bytes, with `kind` (default `unavailable`). */
  readonly cutBodyAfterBytes?: number | undefined
}

/** Which calls a fault meets. */
export interface FaultRule {
  readonly fault: Fault
  /** Default: all. */
  readonly operations?: readonly StoreOperation[] | undefined
  /** Of any key of the call. Default: all. */
  readonly key?: RegExp | undefined
  /** Of the calls that match so far, which: the nth, from 1. Default: all. */
  readonly nth?: number | undefined
  /** Of those, how many: a share in (0, 1], by the given randomness. Default: all. */
  readonly probability?: number | undefined
}

/** Rules in order; the first that applies to a call decides. Each counts the calls that it matches. */
export class FaultRules {
  readonly #rules: { readonly rule: FaultRule; matched: number }[]
  readonly #random: () => number

  constructor(rules: readonly FaultRule[], random: () => number = Math.random) {
    this.#rules = rules.map(rule => ({ rule, matched: 0 }))
    this.#random = random
  }

  add(rule: FaultRule): void {
    this.#rules.push({ rule, matched: 0 })
  }

  clear(): void {
    this.#rules.length = 0
  }

  faultFor(operation: StoreOperation, keys: readonly string[]): Fault | undefined {
    let found: Fault | undefined
    for (const entry of this.#rules) {
      if (!matches(entry.rule, operation, keys)) continue
      entry.matched++
      if (found === undefined && this.#applies(entry.rule, entry.matched)) found = entry.rule.fault
    }
    return found
  }

  #applies(rule: FaultRule, matched: number): boolean {
    if (rule.nth !== undefined && rule.nth !== matched) return false
    return rule.probability === undefined || this.#random() < rule.probability
  }
}

function matches(rule: FaultRule, operation: StoreOperation, keys: readonly string[]): boolean {
  if (rule.operations !== undefined && !rule.operations.includes(operation)) return false
  const { key } = rule
  return key === undefined || keys.some(each => each.search(key) >= 0)
}
