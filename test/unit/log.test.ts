import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/backend/store-error.js'
import { LineLog, LogFile } from '../../src/cli/log-file.js'
import { formatLogLine } from '../../src/cli/log-line.js'
import { ConfigurationError } from '../../src/config/fault.js'
import { temporaryFolder } from '../support/configuration.js'

const NOON = Date.UTC(2026, 0, 31, 12)

describe('a line', () => {
  it('has the time, the level, the message and its values', () => {
    const line = formatLogLine(NOON, 'warn', 'slow answer', { key: 'a b"c\n', sizeBytes: 3, nothing: undefined })
    expect(line).toBe('2026-01-31T12:00:00.000Z WARN slow answer key="a b\\"c\\n" sizeBytes=3\n')
  })

  it('tells an error with its kind, its code and its causes', () => {
    const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' })
    const error = new StoreError('unavailable', 'no answer', { cause: new TypeError('fetch failed', { cause }) })
    expect(formatLogLine(NOON, 'error', 'x', { error })).toContain(
      'error="StoreError: no answer (unavailable) <- TypeError: fetch failed <- connect refused (ECONNREFUSED)"',
    )
  })

  it('is one line and of bounded length whatever the values are', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    const selfCaused = new Error('round')
    selfCaused.cause = selfCaused
    const line = formatLogLine(NOON, 'info', 'x', { cycle, big: 1n, selfCaused, long: 'y'.repeat(100_000), none: null })
    expect(line.length).toBeLessThan(10_000)
    expect(line.trimEnd()).not.toContain('\n')
    expect(line).toContain('none=null')
  })
})

describe('a log', () => {
  it('leaves out what is less grave than its level', () => {
    const lines: string[] = []
    const log = new LineLog({ write: line => lines.push(line) }, 'warn', () => NOON)
    log.error('a')
    log.warn('b')
    log.info('c')
    log.debug('d')
    expect(lines.map(line => line.slice(25))).toEqual(['ERROR a\n', 'WARN b\n'])
  })
})

describe('a log file', () => {
  it('is made with its folder, for the user alone, and appended to', () => {
    const path = join(temporaryFolder(), 'a/b/log')
    new LogFile(path, 1000).write('one\n')
    new LogFile(path, 1000).write('two\n')
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
  })

  it('is begun anew when full and keeps one older generation', () => {
    const path = join(temporaryFolder(), 'log')
    const file = new LogFile(path, 100)
    const line = (name: string) => `${name.repeat(39)}\n`
    for (const name of ['a', 'b', 'c', 'd', 'e']) file.write(line(name))
    expect(readFileSync(path, 'utf8')).toBe(line('e'))
    expect(readFileSync(`${path}.1`, 'utf8')).toBe(line('c') + line('d'))
    expect(existsSync(`${path}.2`)).toBe(false)
  })

  it('counts what others append to it, as standard error does', () => {
    const path = join(temporaryFolder(), 'log')
    const file = new LogFile(path, 100)
    appendFileSync(path, 'x'.repeat(90))
    file.write(`${'a'.repeat(20)}\n`)
    expect(readFileSync(path, 'utf8')).toBe(`${'a'.repeat(20)}\n`)
  })

  it('says which flag names a file that can not be written', () => {
    const path = join(temporaryFolder(), 'log')
    new LogFile(path, 100).write('a file\n')
    expect(() => new LogFile(join(path, 'log'), 100)).toThrow(ConfigurationError)
    expect(() => new LogFile(join(path, 'log'), 100)).toThrow('--log-file: expected a file that can be written')
    expect(() => new LogFile('/proc/mount-bucket/log', 100)).toThrow(ConfigurationError)
  })
})
