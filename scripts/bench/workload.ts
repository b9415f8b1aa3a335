import type { Endpoint } from './endpoint.js'

/** How much is done; `small` is for tries. */
export interface Scale {
  readonly largeBytes: number
  readonly editedBytes: number
  /** Of files by the hundred: 500, 1,000. */
  readonly some: number
  readonly many: number
  /** Names in a large folder, and in a very large one. */
  readonly large: number
  readonly huge: number
  /** Folders of a tree, and files in each. */
  readonly folders: number
  readonly reads: number
}

export const SCALES: Readonly<Record<string, Scale>> = {
  full: {
    largeBytes: 1024 ** 3,
    editedBytes: 256 * 1024 ** 2,
    some: 500,
    many: 1000,
    large: 10_000,
    huge: 100_000,
    folders: 100,
    reads: 200,
  },
  small: {
    largeBytes: 32 * 1024 ** 2,
    editedBytes: 32 * 1024 ** 2,
    some: 20,
    many: 40,
    large: 200,
    huge: 1000,
    folders: 10,
    reads: 20,
  },
}

/** What the number of a workload means. */
export type Measure =
  | { readonly kind: 'rate'; readonly bytes: number }
  | { readonly kind: 'time' }
  /** Time of one of so many. */
  | { readonly kind: 'each'; readonly count: number }

/** Where a workload is done. */
export interface Stage {
  readonly mountPoint: string
  /** On the local disk, of this run alone. */
  readonly folder: string
  readonly endpoint: Endpoint
  readonly scale: Scale
  readonly limitMs: number
}

export interface Workload {
  readonly name: string
  /** For a table: what is done. */
  title(scale: Scale): string
  measure(scale: Scale): Measure
  /** Lays out what is needed in the empty bucket and the local folder, before there is a mount. */
  prepare(stage: Stage): Promise<void>
  /** In the mount, neither timed nor counted. */
  warm?(stage: Stage): Promise<void>
  /** Gives seconds. */
  run(stage: Stage): Promise<number>
  /** What it writes is checked as soon as it has run, and by control calls only: those are not counted. */
  readonly writes: boolean
  /** What is wrong with what was read or written; undefined: nothing. */
  check(stage: Stage): Promise<string | undefined>
}
