import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Has the workers of a run, and what they start, make their temporary folders below one, until the answered function
 * removes it. Each test removes its own; what they leave is named, so that somebody sees to it.
 */
export function openRunFolder(): () => void {
  const { TMPDIR } = process.env
  const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-tests-'))
  // Some tests are ordinary users.
  chmodSync(folder, 0o755)
  process.env.TMPDIR = folder
  return () => {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    const left = readdirSync(folder)
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    if (left.length > 0) process.stderr.write(`LEFT BEHIND by tests, and removed: ${left.join(' ')}\n`)
  }
}
