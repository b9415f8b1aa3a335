import { resolve } from 'node:path'
import { z } from 'zod'
import type { ValueType } from './option.js'
import { formatDuration, formatSize, parseDuration, parseSize } from './quantities.js'

export type CheckedValue = string | number | boolean

export type CheckResult =
  | { readonly ok: true; readonly value: CheckedValue }
  | { readonly ok: false; readonly expected: string }

const ON = /^(true|yes|on|1)$/i
const OFF = /^(false|no|off|0)$/i

/** Makes an option's value of its text. `workingFolder` is what relative paths are relative to. */
export function checkValue(type: ValueType, text: string, workingFolder: string): CheckResult {
  const result = schemaOf(type, workingFolder).safeParse(text)
  return result.success ? { ok: true, value: result.data } : { ok: false, expected: expectationOf(type) }
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

function schemaOf(type: ValueType, workingFolder: string): z.ZodType<CheckedValue> {
  switch (type.type) {
    case 'switch':
      return z
        .string()
        .transform((text, context) => found(ON.test(text) ? true : OFF.test(text) ? false : undefined, context))
    case 'text':
      return z
        .string()
        .min(1)
        .regex(type.pattern ?? /^[^\0]+$/)
    case 'choice':
      return z.enum(type.choices)
    case 'size':
      return z
        .string()
        .transform((text, context) => found(parseSize(text), context))
        .pipe(z.number().min(type.leastBytes).max(type.mostBytes))
    case 'duration':
      return z
        .string()
        .transform((text, context) => found(parseDuration(text), context))
        .pipe(z.number().min(type.leastMs).max(type.mostMs))
    case 'count':
      return z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(type.least).max(type.most))
    case 'mode':
      return z
        .string()
        .regex(/^(0o)?[0-7]{1,5}$/)
        .transform(text => Number.parseInt(text.replace('0o', ''), 8))
        .pipe(z.int().max(0o7777))
    case 'path':
      return z
        .string()
        .min(1)
        .refine(text => !text.includes('\0'))
        .transform(text => resolve(workingFolder, text))
  }
}

/** A parser's undefined as the fault that zod knows. */
function found<T>(value: T | undefined, context: { addIssue(message: string): void }): T {
  if (value !== undefined) return value
  context.addIssue('not understood')
  return z.NEVER
}
