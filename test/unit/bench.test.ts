import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readMountFile } from '../../scripts/bench/mounts/mount-file.js'
import { filled } from '../../scripts/bench/mounts/mount-kind.js'
import { usageOf } from '../../scripts/bench/process-usage.js'
import { numbered, offsets } from '../../scripts/bench/programs/sequences.js'
import type { BenchReport } from '../../scripts/bench/report/bench-report.js'
import { chartOf } from '../../scripts/bench/report/chart.js'
import { markdownOf } from '../../scripts/bench/report/markdown.js'
import { formatNumber, formatValue, median, type Outcome, requestsOf, type Sample } from '../../scripts/bench/sample.js'
import { readSettings } from '../../scripts/bench/settings.js'

const SAMPLE: Sample = {
  seconds: 2,
  requests: 10,
  operations: { GetObject: 10 },
  bytesDown: 1_000_000,
  bytesUp: 0,
  cpuSeconds: 0.5,
  mainThreadSeconds: 0.25,
  peakBytes: 50_000_000,
  idleBytes: 40_000_000,
}

function outcome(mount: string, seconds: readonly number[], problems: readonly string[] = []): Outcome {
  return {
    setting: 'L0',
    workload: 'read',
    title: 'read of "a" & <b> | c',
    mount,
    measure: { kind: 'rate', bytes: 1_000_000_000 },
    samples: seconds.map(each => ({ ...SAMPLE, seconds: each })),
    problems,
  }
}

const REPORT: BenchReport = {
  machine: {
    date: '2026-01-31',
    processor: 'P & Q',
    cores: 2,
    memoryBytes: 8 * 1024 ** 3,
    kernel: '6.1',
    node: 'v20.19.0',
    loadAverage: 0.25,
  },
  rounds: 3,
  sizeName: 'full',
  settings: [{ name: 'L0', title: 'no latency' }],
  limits: [
    {
      setting: 'L0',
      curlBytesPerSecond: 1.5e9,
      parallelBytesPerSecond: 2e9,
      smallGetsPerSecond: 20_000,
      smallPutsPerSecond: 9000,
    },
  ],
  outcomes: [
    outcome('ours', [1, 3, 2]),
    outcome('other', [4], ['wrong bytes']),
    outcome('slow', [], ['over 120 s']),
    outcome('broken', [], ['it\nfell over']),
  ],
}

describe('the bench', () => {
  it('takes medians', () => {
    expect(median([3])).toBe(3)
    expect(median([9, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 9])).toBe(3)
    expect(() => median([])).toThrow('median of nothing')
  })

  it('says results in their units, with three digits', () => {
    expect([0.0123, 9.876, 45.67, 1234.5].map(formatNumber)).toStrictEqual(['0.01', '9.88', '45.7', '1,235'])
    expect(formatValue({ kind: 'rate', bytes: 1e9 }, 2)).toBe('500 MB/s')
    expect(formatValue({ kind: 'time' }, 0.25)).toBe('0.25 s')
    expect(formatValue({ kind: 'each', count: 200 }, 0.5)).toBe('2.50 ms')
  })

  it('adds up what the endpoint has counted', () => {
    const operations = { GetObject: 2, HeadObject: 1 }
    const counts = { requests: operations, bytesIn: { PutObject: 5 }, bytesOut: { GetObject: 7, ListObjectsV2: 3 } }
    expect(requestsOf({ ...counts, statuses: {}, active: 0, mostActive: 1 })).toStrictEqual({
      requests: 3,
      operations,
      bytesDown: 10,
      bytesUp: 5,
    })
  })

  it('writes tables of results and costs, and what went wrong', () => {
    const text = markdownOf(REPORT)
    expect(text).toContain('| workload | ours | other | slow | broken |')
    expect(text).toContain('| read of "a" & <b> \\| c | 500 MB/s | 250 MB/s (!) | over 120 s | failed |')
    expect(text).toContain('| read | ours | 500 MB/s | 10 | 1.00 | 0.00 | 0.50 | 0.25 | 40.0 | 50.0 |')
    expect(text).toContain(
      'curl 1,500 MB/s, many connections 2,000 MB/s, 20,000 GETs of 16 KiB and 9,000 PUTs of 8 KiB a second',
    )
    expect(text).toContain('- L0, broken, read: it fell over')
  })

  it('draws a well-formed chart, the bars as long as the results are large', () => {
    const chart = chartOf(REPORT)
    const open: string[] = []
    for (const [, end, name, rest] of chart.matchAll(/<(\/?)(\w+)((?:\s+[\w:-]+="[^"<&]*")*\s*\/?)>/g)) {
      if (end === '/') expect(open.pop()).toBe(name)
      else if (!rest?.endsWith('/')) open.push(name ?? '')
    }
    expect(open).toStrictEqual([])
    expect(chart.replace(/<\/?\w+(\s+[\w:-]+="[^"<&]*")*\s*\/?>/g, '')).not.toMatch(/<|>|&(?!(amp|lt|gt);)/)
    const lengths = [...chart.matchAll(/width="([\d.]+)" height="10"/g)].map(([, length]) => Number(length))
    expect(lengths).toHaveLength(2)
    expect(lengths[0]).toBe(2 * (lengths[1] ?? 0))
    expect(chart).toContain('over 120 s')
  })

  it('reads at the same places each time, all within the file', () => {
    const places = offsets(1024 ** 3, 200, 4096)
    expect(offsets(1024 ** 3, 200, 4096)).toStrictEqual(places)
    expect(new Set(places).size).toBeGreaterThan(190)
    expect(places.every(place => place >= 0 && place <= 1024 ** 3 - 4096 && place % 4096 === 0)).toBe(true)
    expect(numbered('a/file-####', 12)).toBe('a/file-0012')
  })

  it('knows what a process has used', () => {
    const usage = usageOf(process.pid)
    expect(usage.peakBytes).toBeGreaterThan(10_000_000)
    expect(usage.cpuSeconds).toBeGreaterThanOrEqual(usage.mainThreadSeconds)
  })

  it('does what it is asked for, and nothing that it does not know', () => {
    const asked = readSettings(['--only', 'write,read', '--mounts', 's3fs', '--settings', 'L20', '--rounds', '5'])
    expect(asked?.workloads.map(({ name }) => name)).toStrictEqual(['read', 'write'])
    expect(asked?.kinds.map(({ name }) => name)).toStrictEqual(['s3fs'])
    expect(asked?.settings.map(({ name }) => name)).toStrictEqual(['L20'])
    expect(asked?.rounds).toBe(5)
    expect(readSettings(['--help'])).toBeUndefined()
    expect(() => readSettings(['--only', 'reed'])).toThrow('reed is none of read,')
    expect(() => readSettings(['--rounds', '0'])).toThrow('--rounds')
    expect(() => readSettings(['--size', 'huge'])).toThrow('--size')
  })

  it('takes further drivers from a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'mounts.yaml')
    const command = ['other-fs', '{bucket}', '{mountPoint}']
    writeFileSync(file, JSON.stringify({ mounts: [{ name: 'other', command, watch: 'other-fs' }] }))
    expect(readMountFile(file)).toStrictEqual([{ name: 'other', command, watch: 'other-fs' }])
    expect(readSettings(['--config', file, '--mounts', 'other'])?.kinds).toHaveLength(1)
    writeFileSync(file, 'mounts: [{ name: other }]')
    expect(() => readMountFile(file)).toThrow('command')
    const places = {
      bucket: 'b',
      endpoint: 'e',
      secureEndpoint: 's',
      certificate: 'c',
      accessKeyId: 'i',
      secretAccessKey: 's',
      mountPoint: '/m',
      folder: '/f',
    }
    expect(filled('{bucket}:{mountPoint}/x', places)).toBe('b:/m/x')
    expect(() => filled('{nothing}', places)).toThrow('{nothing} is no placeholder')
  })
})
