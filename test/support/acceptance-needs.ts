import { spawnSync } from 'node:child_process'

/** Commands that end well where what they stand for is installed. */
export type Need = readonly [program: string, ...words: string[]]

export function installed(program: string): Need {
  return ['which', program]
}

/** Whether all is there; says so once where something isn't, and fails where all is required. */
export function canRun(what: string, needs: readonly Need[]): boolean {
  const missing = needs.filter(([program, ...words]) => spawnSync(program, words).status !== 0)
  if (missing.length === 0) return true
  const message = `${what}: missing: ${missing.map(words => words.join(' ')).join(', ')}`
  if (process.env.REQUIRE_ALL === '1') throw new Error(message)
  process.stderr.write(`SKIPPED: ${message}\n`)
  return false
}
