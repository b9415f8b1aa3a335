import { resolve } from 'node:path'
import type { ValueType } from './option.js'
import { formatDuration, formatSize, parseDuration, parseSize } from './quantities.js'

export type CheckedValue = string | number | boolean

export type CheckResult =
  | { readonly ok: true; readonly value: CheckedValue }
  | { readonly ok: false; readonly expected: string }

const ON = /^(true|yes|on|1)$/i
const OFF = /^(false|no|off|0)$/i
const NO_NUL = /^[^\0]+$/

/** Makes an option's value of its text. `workingFolder` is what relative paths are relative to. */
export function checkValue(type: ValueType, text: string, workingFolder: string): CheckResult {
  const value = valueFrom(type, text, workingFolder)
  return value === undefined ? { ok: false, expected: expectationOf(type) } : { ok: true, value }
}

/** In words, what an option takes: for messages and for the documentation. */
export function expectationOf(type: ValueType): string {
  switch (type.type) {
    case 'switch':
      return 'true or false'
    case 'text':
      return type.what
    case 'choice':
      return `one of ${type.choices.join(', ')}`
    case 'size':
      return `a size such as 64M or 1GiB, from ${formatSize(type.leastBytes)} to ${formatSize(type.mostBytes)}`
    case 'duration':
      return `a time such as 10s, 500ms or 7d, from ${formatDuration(type.leastMs)} to ${formatDuration(type.mostMs)}`
    case 'count':
      return `a whole number from ${type.least} to ${type.most}`
    case 'mode':
      return 'permissions in octal such as 0644, up to 7777'
    case 'path':
      return 'a path'
  }
}

/** Undefined where the text is none of these. */
function valueFrom(type: ValueType, text: string, workingFolder: string): CheckedValue | undefined {
  switch (type.type) {
    case 'switch':
      return ON.test(text) ? true : OFF.test(text) ? false : undefined
    case 'text':
      return text !== '' && (type.pattern ?? NO_NUL).test(text) ? text : undefined
    case 'choice':
      return type.choices.includes(text) ? text : undefined
    case 'size':
      return within(type.leastBytes, parseSize(text), type.mostBytes)
    case 'duration':
      return within(type.leastMs, parseDuration(text), type.mostMs)
    case 'count':
      return /^\d+$/.test(text) ? within(type.least, Number(text), type.most) : undefined
    case 'mode':
      return /^(0o)?[0-7]{1,5}$/.test(text) ? within(0, Number.parseInt(text.replace('0o', ''), 8), 0o7777) : undefined
    case 'path':
      return NO_NUL.test(text) ? resolve(workingFolder, text) : undefined
  }
}

function within(least: number, value: number | undefined, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined
}
