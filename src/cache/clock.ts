/** Where time comes from, so that tests can hold it. */
export interface Clock {
  /** Milliseconds since 1970, as Date.now. */
  nowMs(): number
}

export const SYSTEM_CLOCK: Clock = { nowMs: () => Date.now() }
