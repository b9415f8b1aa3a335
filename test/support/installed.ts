import { execFileSync } from 'node:child_process'

/** Whether a program can be run; says so where it can't, and fails where all is required. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', program], { stdio: 'ignore' })
    return true
  } catch (error) {
    if (process.env.REQUIRE_ALL === '1') throw new Error(`${program} is not installed`, { cause: error })
    process.stderr.write(`SKIPPED: tests that run ${program}: it is not installed\n`)
    return false
  }
}
