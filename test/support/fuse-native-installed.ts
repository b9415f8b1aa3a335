import { createRequire } from 'node:module'

/** It is an optional dependency: its binaries are for x64 only. */
export function hasFuseNative(): boolean {
  try {
    createRequire(import.meta.url)('fuse-native')
    return true
  } catch (error) {
    if (process.env.REQUIRE_ALL === '1') throw error
    process.stderr.write(`SKIPPED: tests of fuse-native: ${error}\n`)
    return false
  }
}
