import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/quantities.js'

it.each([
  ['0', 0],
  ['4096', 4096],
  ['64M', 64 * 1024 ** 2],
  ['64m', 64 * 1024 ** 2],
  ['64MiB', 64 * 1024 ** 2],
  ['64 MiB', 64 * 1024 ** 2],
  ['64MB', 64_000_000],
  ['1kB', 1000],
  ['1.5G', 1.5 * 1024 ** 3],
  ['512B', 512],
  ['1P', 1024 ** 5],
  ['', undefined],
  ['M', undefined],
  ['-1', undefined],
  ['1e3', undefined],
  ['0x10', undefined],
  ['12x', undefined],
  ['1MiBs', undefined],
])('the size %j is %j bytes', (text, sizeBytes) => {
  expect(parseSize(text)).toBe(sizeBytes)
})

it.each([
  ['0', 0],
  ['10', 10_000],
  ['10s', 10_000],
  ['500ms', 500],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['', undefined],
  ['s', undefined],
  ['-1s', undefined],
  ['10 minutes', undefined],
])('the time %j is %j ms', (text, durationMs) => {
  expect(parseDuration(text)).toBe(durationMs)
})

it('what is formatted is read as it was', () => {
  fc.assert(fc.property(fc.nat(), number => parseSize(formatSize(number)) === number))
  fc.assert(fc.property(fc.nat(), number => parseDuration(formatDuration(number)) === number))
})
