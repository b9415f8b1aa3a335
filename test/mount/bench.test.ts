import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { BenchReport } from '../../scripts/bench/report/bench-report.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { built } from '../support/servers.js'

const PROGRAM = join(import.meta.dirname, '../../build/scripts/bench/main.js')
const mounts = mountsOfThisFile()

describe.skipIf(!canMount())('the bench', () => {
  it('measures a mount of ours, finds nothing wrong with it, and leaves nothing behind', async () => {
    await built()
    const output = await mounts.folder('bench')
    const words = ['--size', 'small', '--rounds', '1', '--settings', 'L0', '--mounts', 'ours', '--output', output]
    const only = ['--only', 'read,write,find']
    const scratch = join(output, 'scratch')
    mkdirSync(scratch)
    const env = { ...process.env, TMPDIR: scratch }
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...words, ...only], { env })
    expect(stdout).toBe(readFileSync(join(output, 'bench.md'), 'utf8'))
    expect(readFileSync(join(output, 'bench.svg'), 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
    const report = JSON.parse(readFileSync(join(output, 'bench.json'), 'utf8')) as BenchReport
    expect(report.outcomes.map(({ workload, problems }) => [workload, problems])).toStrictEqual([
      ['read', []],
      ['write', []],
      ['find', []],
    ])
    const [read, write] = report.outcomes.map(({ samples }) => samples[0])
    expect(read?.operations.GetObject).toBeGreaterThan(0)
    expect(read?.bytesDown).toBeGreaterThanOrEqual(32 * 1024 ** 2)
    expect(write?.bytesUp).toBeGreaterThanOrEqual(32 * 1024 ** 2)
    expect(write?.peakBytes).toBeGreaterThan(0)
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(scratch)
    expect(readdirSync(scratch)).toStrictEqual([])
  })
})
