#!/usr/bin/env node
import { onAbort } from '../backend/call.js'
import { processEnvironment } from '../config/environment.js'
import { type BucketInvocation, parseArguments } from './bucket/arguments.js'
import { COMMANDS } from './bucket/commands.js'
import { UnreadOutput } from './bucket/unread-output.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { allSaid, complainAs, say } from './output.js'

/** So long a command that was stopped waits for a reader that takes nothing. */
const LAST_WORDS_MS = 2000

const stopped = new AbortController()
const unread = new UnreadOutput([process.stdout, process.stderr], reason => stopped.abort(reason))

/** Loads no more than the command needs. */
async function run(words: readonly string[]): Promise<ExitCode> {
  try {
    return await carryOut(await parseArguments(COMMANDS, words))
  } catch (error) {
    if (unread.explains(error)) return EXIT.failed
    const { bucketFailureOf } = await import('./bucket/failure.js')
    const { lines, exitCode } = bucketFailureOf(error)
    complainAs('bucket', ...lines)
    return exitCode
  }
}

async function carryOut(invocation: BucketInvocation): Promise<ExitCode> {
  switch (invocation.kind) {
    case 'help':
      say(invocation.text.trimEnd())
      return EXIT.done
    case 'version': {
      const { versionLines } = await import('./version.js')
      say(...versionLines(process.version, 'bucket'))
      return EXIT.done
    }
    case 'run': {
      const { CommandContext } = await import('./bucket/context.js')
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.once(signal, () => stopped.abort(new Error(`${signal} was received`)))
      const context = new CommandContext(invocation.request, processEnvironment(), stopped.signal)
      try {
        return await invocation.command.run(context)
      } catch (error) {
        throw await context.explained(error)
      } finally {
        await context.close()
      }
    }
  }
}

/** All that was said has come to who reads it, or there is no more waiting for him. */
function lastWords(): Promise<unknown> {
  const isLate = new Promise<void>(resolve => {
    onAbort(stopped.signal, () => setTimeout(resolve, LAST_WORDS_MS))
  })
  return Promise.race([allSaid(), isLate])
}

const exitCode = await run(process.argv.slice(2))
await lastWords()
complainAs('bucket', ...unread.lines)
await lastWords()
process.exit(unread.exitCode ?? exitCode)
