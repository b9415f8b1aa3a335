import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { parseArguments } from '../../src/cli/arguments.js'
import type { MountConfiguration } from '../../src/config/configuration.js'
import type { Environment } from '../../src/config/environment.js'
import { ConfigurationError } from '../../src/config/fault.js'
import { resolveMount } from '../../src/config/resolve.js'

/** The surroundings of an ordinary user who has configured nothing. */
export function environment(changes: Partial<Environment> = {}): Environment {
  return {
    variables: {},
    workingFolder: '/work-folder',
    uid: 1000,
    gid: 100,
    homeFolder: '/nonexistent/home',
    ...changes,
  }
}

/** What the words of a command line for mounting come to. */
export function configure(words: readonly string[], surroundings = environment()): Promise<MountConfiguration> {
  const invocation = parseArguments(words)
  if (invocation.command !== 'mount') throw new Error(`${words.join(' ')} is ${invocation.command}`)
  return resolveMount(invocation.line, surroundings)
}

/** The lines about what is wrong with a command line. */
export async function faultsOf(words: readonly string[], surroundings = environment()): Promise<readonly string[]> {
  try {
    await configure(words, surroundings)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message.split('\n')
    throw error
  }
  return []
}

/** A folder of the test's own, gone when it has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
