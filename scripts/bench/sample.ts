import type { Counts } from '../servers/s3/counters.js'
import type { Measure } from './workload.js'

/** What one run of a workload took. */
export interface Sample {
  readonly seconds: number
  readonly requests: number
  /** By operation: `GetObject`. */
  readonly operations: Readonly<Record<string, number>>
  /** Bytes of bodies, from the endpoint and to it. */
  readonly bytesDown: number
  readonly bytesUp: number
  /** Of the driver, its children included. */
  readonly cpuSeconds: number
  readonly mainThreadSeconds: number
  /** VmHWM of the driver at the end; what it had when it was mounted. */
  readonly peakBytes: number
  readonly idleBytes: number
}

/** All runs of one workload over one mount in one setting. */
export interface Outcome {
  readonly setting: string
  readonly workload: string
  readonly title: string
  readonly mount: string
  readonly measure: Measure
  readonly samples: readonly Sample[]
  /** What went wrong: over its time, wrong bytes, stored only later. */
  readonly problems: readonly string[]
}

export function requestsOf(counts: Counts): Pick<Sample, 'requests' | 'operations' | 'bytesDown' | 'bytesUp'> {
  return {
    requests: sum(counts.requests),
    operations: counts.requests,
    bytesDown: sum(counts.bytesOut),
    bytesUp: sum(counts.bytesIn),
  }
}

function sum(numbers: Readonly<Record<string, number>>): number {
  return Object.values(numbers).reduce((total, number) => total + number, 0)
}

/** Of an even number, the mean of the two in the middle. Throws on none. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const low = sorted[Math.floor((sorted.length - 1) / 2)]
  const high = sorted[Math.floor(sorted.length / 2)]
  if (low === undefined || high === undefined) throw new Error('there is no median of nothing')
  return (low + high) / 2
}

export type Figure = Exclude<keyof Sample, 'operations'>

/** The median of a figure over all rounds; undefined when no round came to an end. */
export function medianOf(outcome: Outcome, figure: Figure): number | undefined {
  if (outcome.samples.length === 0) return undefined
  return median(outcome.samples.map(sample => sample[figure]))
}

/** The number of a workload, in its unit: MB/s (more is better), s or ms (less is better). */
export function resultOf(measure: Measure, seconds: number): number {
  if (measure.kind === 'rate') return measure.bytes / 1e6 / seconds
  return measure.kind === 'time' ? seconds : (seconds / measure.count) * 1000
}

const UNITS = { rate: 'MB/s', time: 's', each: 'ms' } as const

export function unitOf(measure: Measure): string {
  return UNITS[measure.kind]
}

/** Three digits are enough. */
export function formatNumber(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export function formatValue(measure: Measure, seconds: number): string {
  return `${formatNumber(resultOf(measure, seconds))} ${unitOf(measure)}`
}
