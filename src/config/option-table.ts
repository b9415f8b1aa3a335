import type { Option, ValueOf } from './option.js'
import { CACHE_OPTIONS } from './options/cache-options.js'
import { DATA_OPTIONS } from './options/data-options.js'
import { DRIVER_OPTIONS } from './options/driver-options.js'
import { MOUNT_OPTIONS } from './options/mount-options.js'
import { STORE_OPTIONS } from './options/store-options.js'

/** Every option, once. */
const TABLE = { ...STORE_OPTIONS, ...MOUNT_OPTIONS, ...CACHE_OPTIONS, ...DATA_OPTIONS, ...DRIVER_OPTIONS } as const

export type OptionName = keyof typeof TABLE

export const OPTIONS: Readonly<Record<OptionName, Option>> = TABLE

export const OPTION_NAMES = Object.keys(TABLE) as readonly OptionName[]

/** The checked values: always there where the table has a default. */
export type OptionValues = {
  readonly [Name in OptionName]: (typeof TABLE)[Name] extends { readonly default: string }
    ? ValueOf<(typeof TABLE)[Name]['value']>
    : ValueOf<(typeof TABLE)[Name]['value']> | undefined
}

/** `metadataTtl` is `metadata-ttl` in flags (`--metadata-ttl`) and files. */
export function keyOf(name: OptionName): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** `metadataTtl` is MOUNT_BUCKET_METADATA_TTL in the environment. */
export function variableOf(name: OptionName): string {
  return `MOUNT_BUCKET_${keyOf(name).replaceAll('-', '_').toUpperCase()}`
}

export function isInFile(name: OptionName): boolean {
  return OPTIONS[name].inFile !== false
}

export function isInMountOptions(name: OptionName): boolean {
  return OPTIONS[name].inMountOptions !== false
}

const BY_KEY: ReadonlyMap<string, OptionName> = new Map(OPTION_NAMES.map(name => [keyOf(name), name]))

/** What a written name means: `read-only`, `read_only` and (for switches, with the sense turned round) `no-read-only`. */
export function findOption(written: string): { readonly name: OptionName; readonly negated: boolean } | undefined {
  const key = written.replaceAll('_', '-')
  const name = BY_KEY.get(key)
  if (name !== undefined) return { name, negated: false }
  const positive = key.startsWith('no-') ? BY_KEY.get(key.slice(3)) : undefined
  if (positive === undefined || OPTIONS[positive].value.type !== 'switch') return undefined
  return { name: positive, negated: true }
}
