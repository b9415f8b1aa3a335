import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseArguments } from '../../src/cli/arguments.js'
import { Prefetcher } from '../../src/cli/prefetcher.js'
import { progressText } from '../../src/cli/progress-line.js'
import { KEEP_FREE, keepFreeOf } from '../../src/config/keep-free.js'
import { placeOfTest } from '../support/disk-cache-harness.js'

const GIB = 1024 ** 3

describe('Prefetcher', () => {
  it('reads files and all below folders, follows no links, and tells what failed', async () => {
    const place = placeOfTest()
    mkdirSync(join(place, 'a', 'b'), { recursive: true })
    for (const [name, sizeBytes] of [
      ['one', 10],
      ['a/two', 3_000_000],
      ['a/b/three', 0],
    ] as const)
      writeFileSync(join(place, name), Buffer.alloc(sizeBytes))
    symlinkSync(place, join(place, 'a', 'loop'))
    const failed: string[] = []
    const prefetcher = new Prefetcher(0, path => failed.push(path), new AbortController().signal)
    await prefetcher.run([place, join(place, 'none')])
    expect(failed).toEqual([join(place, 'none')])
    expect(prefetcher.progress).toEqual({
      doneBytes: 3_000_010,
      knownBytes: 3_000_010,
      files: 3,
      failed: 1,
      isComplete: true,
    })
  })

  it('ends when it is stopped', async () => {
    const place = placeOfTest()
    for (let i = 0; i < 50; i++) writeFileSync(join(place, String(i)), 'x')
    const stopped = new AbortController()
    const prefetcher = new Prefetcher(0, () => undefined, stopped.signal)
    const ended = prefetcher.run([place])
    stopped.abort()
    await ended
    expect(prefetcher.progress.files).toBeLessThan(50)
  })
})

it('progress is a bar with rate and time left once all is found, and what is known before', () => {
  const progress = { doneBytes: GIB, knownBytes: 4 * GIB, files: 1, failed: 0, isComplete: true }
  expect(progressText(progress, 2000)).toBe('[######------------------]  25%  1.0G of 4.0G  512M/s  0:06 left')
  expect(progressText({ ...progress, isComplete: false }, 2000)).toBe('1.0G of at least 4.0G  512M/s')
  expect(progressText({ ...progress, doneBytes: 0 }, 0)).toBe('[------------------------]   0%  0 of 4.0G  0/s  ')
  expect(progressText({ ...progress, doneBytes: 4 * GIB }, 4_000_000)).toContain('[########################] 100%')
})

describe('the command line', () => {
  const read = (...words: readonly string[]) => parseArguments(words)
  const faults = (...words: readonly string[]) => {
    const invocation = read(...words)
    return 'line' in invocation ? invocation.line.faults.map(fault => fault.expected) : []
  }

  it('of cache', () => {
    expect(read('cache')).toMatchObject({ command: 'cache', action: 'usage', json: false })
    expect(read('cache', 'usage', '--json')).toMatchObject({ action: 'usage', json: true })
    expect(read('cache', 'clear', '--cache-dir', '/x')).toMatchObject({ action: 'clear' })
    expect(faults('cache', 'empty')).toEqual(['usage or clear'])
    expect(faults('cache', 'clear', 'x')).toEqual(['usage or clear'])
    expect(faults('cache', 'clear', '--json')).toEqual(['no --json with clear'])
  })

  it('of prefetch', () => {
    expect(read('prefetch', 'a', 'b', '-q')).toMatchObject({ command: 'prefetch', paths: ['a', 'b'], quiet: true })
    expect(faults('prefetch')).toEqual(['PATH...'])
  })
})

it('--cache-free is a share or a size', () => {
  for (const [text, meaning] of [
    ['5%', { share: 0.05 }],
    ['12.5%', { share: 0.125 }],
    ['100%', { share: 1 }],
    ['20G', { bytes: 20 * GIB }],
    ['0', { bytes: 0 }],
  ] as const) {
    expect(KEEP_FREE.test(text)).toBe(true)
    expect(keepFreeOf(text)).toEqual(meaning)
  }
  for (const text of ['101%', '-1', '5 percent', '', '%']) expect(KEEP_FREE.test(text)).toBe(false)
})
