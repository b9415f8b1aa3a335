import type { CallSignal } from '../backend/call-signal.js'
import type { Urging } from '../backend/urge.js'

/** A block that is being filled. */
export interface BlockLoad {
  /** Ends its request. */
  readonly signal: CallSignal
  /** Of read-ahead: a program waits for it by now. */
  readonly urged: Urging | undefined
  isCancelled: boolean
  /** Never rejects. */
  ended: Promise<void>
}
