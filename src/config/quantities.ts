import { DAY_MS, GIB, HOUR_MS, KIB, MIB, PIB, SECOND_MS, TIB } from './option.js'

const EIB = 1024 * PIB

const BINARY: Readonly<Record<string, number>> = { '': 1, K: KIB, M: MIB, G: GIB, T: TIB, P: PIB, E: EIB }

/** `64M`, `64MiB` (of 1,024), `64MB` (of 1,000), `67108864`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(?:([KMGTPE]?)(iB)?|([KMGTPE])B|B)$/i.exec(text.trim())
  if (match === null) return undefined
  const [, digits = '', binary = '', , decimal] = match
  const factor =
    decimal === undefined ? (BINARY[binary.toUpperCase()] ?? 1) : 1000 ** ('KMGTPE'.indexOf(decimal.toUpperCase()) + 1)
  const sizeBytes = Math.round(Number(digits) * factor)
  return Number.isSafeInteger(sizeBytes) || sizeBytes <= EIB * 4 ? sizeBytes : undefined
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  '': SECOND_MS,
  s: SECOND_MS,
  m: 60 * SECOND_MS,
  h: HOUR_MS,
  d: DAY_MS,
}

/** `500ms`, `10s` (or `10`), `5m`, `2h`, `7d`, in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d|)$/i.exec(text.trim())
  if (match === null) return undefined
  const [, digits = '', unit = ''] = match
  return Math.round(Number(digits) * (UNITS_MS[unit.toLowerCase()] ?? SECOND_MS))
}

export function formatSize(sizeBytes: number): string {
  return formatUnits(sizeBytes, [
    ['P', PIB],
    ['T', TIB],
    ['G', GIB],
    ['M', MIB],
    ['K', KIB],
  ])
}

export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0'
  const text = formatUnits(durationMs, [
    ['d', DAY_MS],
    ['h', HOUR_MS],
    ['m', 60 * SECOND_MS],
    ['s', SECOND_MS],
  ])
  return /\d$/.test(text) ? `${text}ms` : text
}

function formatUnits(value: number, units: readonly (readonly [string, number])[]): string {
  const unit = value === 0 ? undefined : units.find(([, factor]) => value % factor === 0)
  return unit === undefined ? String(value) : `${value / unit[1]}${unit[0]}`
}

/** For people: `1.2M`, `512`. */
export function formatSizeRoughly(sizeBytes: number): string {
  const power = Math.min(5, Math.floor(Math.log2(Math.max(1, sizeBytes)) / 10))
  if (power === 0) return String(sizeBytes)
  const value = sizeBytes / KIB ** power
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}${'KMGTP'[power - 1]}`
}
