#!/usr/bin/env node
import { processEnvironment } from '../config/environment.js'
import { type BucketInvocation, parseArguments } from './bucket/arguments.js'
import { COMMANDS } from './bucket/commands.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { allSaid, complainAs, say } from './output.js'

/** Loads no more than the command needs. */
async function run(words: readonly string[]): Promise<ExitCode> {
  try {
    return await carryOut(await parseArguments(COMMANDS, words))
  } catch (error) {
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
      const stopped = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.once(signal, () => stopped.abort(new Error(`${signal} was received`)))
      const context = new CommandContext(invocation.request, processEnvironment(), stopped.signal)
      try {
        return await invocation.command.run(context)
      } finally {
        await context.close()
      }
    }
  }
}

/** As of a program that SIGPIPE ends: what was left to do is not done. */
const NOBODY_READS = 141

// Whoever reads the output has seen enough (`bucket list | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? NOBODY_READS : EXIT.failed),
)
const exitCode = await run(process.argv.slice(2))
await allSaid()
process.exit(exitCode)
