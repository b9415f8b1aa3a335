/** What goes wrong with the requests that a rule fits. */
export interface Fault {
  /** This answer instead of carrying the request out. */
  readonly error?: { readonly status: number; readonly code: string; readonly retryAfterSeconds?: number }
  /** Status 200, and this error in the body, as CopyObject and CompleteMultipartUpload may answer. Not carried out. */
  readonly errorInside?: string
  /** Carried out, then the connection is dropped without an answer. */
  readonly loseReply?: boolean
  /** The connection is dropped before anything is done. */
  readonly dropRequest?: boolean
  /** The connection breaks after so many bytes of the body. */
  readonly cutAfterBytes?: number
  /** The last byte of the body is another one. */
  readonly wrongBytes?: boolean
  /** Content-Length says so many bytes more than come (fewer if negative); the connection then ends. */
  readonly wrongLengthBytes?: number
  /** The whole object and status 200, whatever range was asked for. */
  readonly ignoreRange?: boolean
  /** No answer before so long; with a body, none of its last byte. */
  readonly stallMs?: number
}

export interface FaultRule extends Fault {
  /** `GetObject`; default: any. */
  readonly operation?: string
  /** A regular expression for the key; default: any. */
  readonly key?: string
  /** From which fitting request on, counted from 1. Default 1. */
  readonly from?: number
  /** For how many of them. Default: all. */
  readonly times?: number
  /** Only with this probability. Default 1. */
  readonly probability?: number
}

export type ConditionalOperation = 'put' | 'complete' | 'copy' | 'delete'

/** How the server behaves; all can be changed while it runs. */
export interface Knobs {
  /** Before each answer. */
  readonly latencyMs: number
  /** Of one connection, both ways together; 0: no limit. */
  readonly bytesPerSecond: number
  readonly faults: readonly FaultRule[]
  /** For the faults that have a probability. */
  readonly seed: number
  /** Conditions of these are not looked at. */
  readonly ignoreConditions: readonly ConditionalOperation[]
  /** Conditions of these are answered with 501. */
  readonly refuseConditions: readonly ConditionalOperation[]
  /** ETags are random instead of MD5s: faster. */
  readonly randomEtags: boolean
  readonly maxCopyBytes: number
  /** The bucket's owner owns all objects: ACLs are refused, and say nothing. */
  readonly bucketOwnerEnforced: boolean
  /** Tags are lost in uploads and in copies that replace metadata, as Ceph RGW 16 loses them. */
  readonly loseTags: boolean
  /** Operations whose answers do not tell how many tags an object has. */
  readonly hideTagCounts: readonly ('HeadObject' | 'GetObject')[]
}

export const DEFAULT_KNOBS: Knobs = {
  latencyMs: 0,
  bytesPerSecond: 0,
  faults: [],
  seed: 1,
  ignoreConditions: [],
  refuseConditions: [],
  randomEtags: false,
  maxCopyBytes: 5 * 1024 ** 3,
  bucketOwnerEnforced: false,
  loseTags: false,
  hideTagCounts: [],
}

/** The knobs as they stand, and which fault is due. */
export class KnobBoard {
  #knobs: Knobs = DEFAULT_KNOBS
  /** How many requests each rule has fitted so far. */
  #fitted: number[] = []
  #random = seededRandom(DEFAULT_KNOBS.seed)

  get knobs(): Knobs {
    return this.#knobs
  }

  /** Given knobs are set, the others stay. Rules begin to count anew. */
  set(knobs: Partial<Knobs>): void {
    this.#knobs = { ...this.#knobs, ...knobs }
    this.#fitted = this.#knobs.faults.map(() => 0)
    this.#random = seededRandom(this.#knobs.seed)
  }

  reset(): void {
    this.#knobs = DEFAULT_KNOBS
    this.set({})
  }

  /** All faults that befall this request, as one. */
  faultFor(operation: string, key: string): Fault {
    let fault: Fault = {}
    for (const [index, rule] of this.#knobs.faults.entries())
      if (this.#isDue(rule, index, operation, key)) fault = { ...fault, ...rule }
    return fault
  }

  #isDue(rule: FaultRule, index: number, operation: string, key: string): boolean {
    if (rule.operation !== undefined && rule.operation !== operation) return false
    if (rule.key !== undefined && !new RegExp(rule.key).test(key)) return false
    if (rule.probability !== undefined && this.#random() >= rule.probability) return false
    const count = (this.#fitted[index] ?? 0) + 1
    this.#fitted[index] = count
    const from = rule.from ?? 1
    return count >= from && count < from + (rule.times ?? Number.POSITIVE_INFINITY)
  }
}

/** Numbers in [0, 1): a linear congruential generator ("Numerical Recipes", ranqd1). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
