#!/usr/bin/env node
import { type Environment, processEnvironment } from '../config/environment.js'
import { variableOf } from '../config/option-table.js'
import type { CommandLine } from '../config/resolve.js'
import { type Invocation, parseArguments } from './arguments.js'
import type { ExitCode } from './exit-codes.js'
import { allSaid, complain, say } from './output.js'

/** Loads no more than the command needs: what reads the arguments is all that every command does. */
async function run(words: readonly string[]): Promise<ExitCode> {
  try {
    return await carryOut(parseArguments(words), words)
  } catch (error) {
    const { failureOf } = await import('./failure.js')
    const { lines, exitCode } = failureOf(error)
    complain(...lines)
    return exitCode
  }
}

async function carryOut(invocation: Invocation, words: readonly string[]): Promise<ExitCode> {
  switch (invocation.command) {
    case 'help':
      say(invocation.text.trimEnd())
      return 0
    case 'version': {
      const { versionLines } = await import('./version.js')
      say(...versionLines(process.version))
      return 0
    }
    case 'unmount': {
      const { unmount } = await import('./unmount.js')
      return unmount(invocation, processEnvironment())
    }
    case 'recover': {
      const { recover } = await import('./recover.js')
      return recover(invocation, processEnvironment())
    }
    case 'cache': {
      const { cache } = await import('./cache.js')
      return cache(invocation, processEnvironment())
    }
    case 'prefetch': {
      const { prefetch } = await import('./prefetch.js')
      return prefetch(invocation, processEnvironment())
    }
    case 'completion':
      say(invocation.script.trimEnd())
      return 0
    case 'mount': {
      const environment = processEnvironment()
      if (!isForegroundAsked(invocation.line, environment)) {
        const { mountInBackground } = await import('./background.js')
        return mountInBackground(words)
      }
      const { mountInForeground } = await import('./foreground.js')
      return mountInForeground(invocation.line, environment)
    }
  }
}

/** Asked before the configuration is resolved, which is the work of the process that serves. */
function isForegroundAsked(line: CommandLine, environment: Environment): boolean {
  const variable = environment.variables[variableOf('foreground')]
  return /^(true|yes|on|1)$/i.test(line.values.get('foreground')?.text ?? variable ?? '')
}

const exitCode = await run(process.argv.slice(2))
await allSaid()
process.exit(exitCode)
