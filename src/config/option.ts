/** What an option's text means. Plain data, so that arguments are read and help is printed without loading a checker. */
export type ValueType =
  | { readonly type: 'switch' }
  | { readonly type: 'text'; readonly what: string; readonly pattern?: RegExp }
  | { readonly type: 'choice'; readonly choices: readonly string[] }
  | { readonly type: 'size'; readonly leastBytes: number; readonly mostBytes: number }
  | { readonly type: 'duration'; readonly leastMs: number; readonly mostMs: number }
  | { readonly type: 'count'; readonly least: number; readonly most: number }
  | { readonly type: 'mode' }
  /** Made absolute against the working folder. */
  | { readonly type: 'path' }

export type OptionGroup = 'Store' | 'Mount' | 'Owner and permissions' | 'Caches and reading' | 'Writing' | 'Driver'

/** The order in which groups are shown. */
export const OPTION_GROUPS: readonly OptionGroup[] = [
  'Store',
  'Mount',
  'Owner and permissions',
  'Caches and reading',
  'Writing',
  'Driver',
]

/** One row of the table. Flag, environment variable, file key and `-o` name all follow from the row's own name. */
export interface Option {
  readonly group: OptionGroup
  readonly value: ValueType
  /** What the value does; of a switch, what turning it away from its default does. No full stop. */
  readonly help: string
  /** What stands for the value in help: `SIZE`. */
  readonly placeholder?: string
  /** A short flag beside the long one. */
  readonly short?: string
  /** As a user would write it. */
  readonly default?: string
  /** What holds without a value, where that is not one fixed text. */
  readonly defaultNote?: string
  /** Given by its place in the command line, never by a flag. */
  readonly positional?: true
  /** True: never on the command line, where other users of the machine can read it. */
  readonly isSecret?: true
  /** False: a flag or a variable, but nothing for a configuration file. */
  readonly inFile?: false
  /** False: nothing for `-o`. */
  readonly inMountOptions?: false
  /** Means something for these URL schemes only. */
  readonly schemes?: readonly string[]
}

/** What the checker makes of an option's text. */
export type ValueOf<T extends ValueType> = T extends { type: 'switch' }
  ? boolean
  : T extends { type: 'choice'; choices: readonly (infer Choice)[] }
    ? Choice
    : T extends { type: 'size' | 'duration' | 'count' | 'mode' }
      ? number
      : string

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB
export const TIB = 1024 * GIB
export const PIB = 1024 * TIB

export const SECOND_MS = 1000
export const HOUR_MS = 3600 * SECOND_MS
export const DAY_MS = 24 * HOUR_MS
