export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

/** Values beside an event; an Error is written with its causes. */
export type LogFields = Readonly<Record<string, unknown>>

/** One line an event. `message` is the same text at every occurrence; what varies stands in `fields`. */
export interface Log {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
}

/** A log that keeps nothing: the default where the caller of the library gives none. */
export const SILENT: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore }

function ignore(): void {}
