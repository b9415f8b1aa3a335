import type { LogFields, LogLevel } from '../backend/log.js'

/** Longer values are cut: a log line is for reading. */
const MAX_VALUE_CHARACTERS = 2000
const MAX_CAUSES = 8

/** `2026-01-31T12:00:00.000Z WARN message key="value" error="what happened <- because of this"` */
export function formatLogLine(timeMs: number, level: LogLevel, message: string, fields: LogFields): string {
  const values = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}=${formatValue(value)}`],
  )
  return `${new Date(timeMs).toISOString()} ${level.toUpperCase()} ${message}${values.join('')}\n`
}

function formatValue(value: unknown): string {
  const text = value instanceof Error ? JSON.stringify(describeError(value)) : toJson(value)
  return text.length <= MAX_VALUE_CHARACTERS ? text : `${text.slice(0, MAX_VALUE_CHARACTERS)}...`
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    // Cycles and big integers have no JSON.
    return JSON.stringify(String(value))
  }
}

/** An error and what caused it, the nearest first. */
export function describeError(error: Error): string {
  const parts: string[] = []
  let current: unknown = error
  while (current !== undefined && current !== null && parts.length < MAX_CAUSES) {
    parts.push(current instanceof Error ? describeOne(current) : String(current))
    current = current instanceof Error ? current.cause : undefined
  }
  return parts.join(' <- ')
}

/** The errors of Node, of stores and of the SDK carry a code that their message may leave out. */
function describeOne(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const kind = 'kind' in error && typeof error.kind === 'string' ? error.kind : undefined
  const marks = [kind, code].filter(mark => mark !== undefined && !error.message.includes(mark))
  const name = error.name === 'Error' ? '' : `${error.name}: `
  return `${name}${error.message}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}`
}
