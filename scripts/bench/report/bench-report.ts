import type { Limits } from '../limits.js'
import type { Machine } from '../machine.js'
import type { Outcome } from '../sample.js'

/** Everything that a bench has found out, as bench.json has it. */
export interface BenchReport {
  readonly machine: Machine
  readonly rounds: number
  readonly sizeName: string
  readonly settings: readonly { readonly name: string; readonly title: string }[]
  readonly limits: readonly Limits[]
  readonly outcomes: readonly Outcome[]
}
