import { closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Log, LogFields, LogLevel } from '../backend/log.js'
import { ConfigurationError } from '../config/fault.js'
import { makeFolder } from '../system/make-folder.js'
import { formatLogLine } from './log-line.js'

/** Takes whole lines. */
export interface LogSink {
  write(line: string): void
}

const GRAVITY: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 }

/** Writes events of one level and of graver ones. */
export class LineLog implements Log {
  readonly #sink: LogSink
  readonly #gravity: number
  readonly #now: () => number

  constructor(sink: LogSink, level: LogLevel, now: () => number = Date.now) {
    this.#sink = sink
    this.#gravity = GRAVITY[level]
    this.#now = now
  }

  error(message: string, fields: LogFields = {}): void {
    this.#write('error', message, fields)
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#write('warn', message, fields)
  }

  info(message: string, fields: LogFields = {}): void {
    this.#write('info', message, fields)
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#write('debug', message, fields)
  }

  #write(level: LogLevel, message: string, fields: LogFields): void {
    if (GRAVITY[level] <= this.#gravity) this.#sink.write(formatLogLine(this.#now(), level, message, fields))
  }
}

/**
 * A file of at most about `maxBytes`, beside one older generation (`FILE.1`). A full file is copied and emptied rather
 * than renamed, so that the process's standard error, which is the same file, goes on in the new one.
 */
export class LogFile implements LogSink {
  readonly #path: string
  readonly #maxBytes: number
  readonly #descriptor: number
  #lostLines = 0

  /** Throws a ConfigurationError where the file can't be opened. */
  constructor(path: string, maxBytes: number) {
    this.#path = path
    this.#maxBytes = maxBytes
    this.#descriptor = openForLog(path)
  }

  /** A log that can't be written stops nobody: what was lost is counted, and told once there is room again. */
  write(line: string): void {
    try {
      if (fstatSync(this.#descriptor).size + line.length > this.#maxBytes) this.#begin()
      const lost = this.#lostLines === 0 ? '' : `(${this.#lostLines} lines could not be written)\n`
      writeSync(this.#descriptor, lost + line)
      this.#lostLines = 0
    } catch {
      this.#lostLines++
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #begin(): void {
    copyFileSync(this.#path, `${this.#path}.1`)
    ftruncateSync(this.#descriptor)
  }
}

/**
 * From here on what V8 or a library writes to standard error (a fatal error, the traces of DEBUG) is found in this log,
 * and nobody's terminal or pipe is held open. A descriptor that is opened gets the lowest free number, which is the one
 * just closed, as long as nothing else is opened meanwhile. Throws a ConfigurationError, with standard error as it was.
 */
export function sendStandardErrorTo(path: string): void {
  closeSync(openForLog(path))
  closeSync(2)
  openForLog(path)
}

function openForLog(path: string): number {
  try {
    makeFolder(dirname(path))
    return openSync(path, 'a', 0o600)
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    throw new ConfigurationError([{ place: '--log-file', expected: 'a file that can be written', found }], {
      cause: error,
    })
  }
}

/** Standard error, for the foreground. */
export const STDERR_SINK: LogSink = {
  write: line => {
    process.stderr.write(line)
  },
}
