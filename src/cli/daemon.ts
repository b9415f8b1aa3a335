import { processEnvironment } from '../config/environment.js'
import { resolveMount } from '../config/resolve.js'
import { parseArguments } from './arguments.js'
import { type DaemonMessage, readyLines } from './daemon-message.js'
import type { ExitCode } from './exit-codes.js'
import { failureOf } from './failure.js'
import { LineLog, LogFile, sendStandardErrorTo } from './log-file.js'
import { serve } from './serve.js'

/** The process in the background: `background.ts` starts it with the command line that the user wrote. */
async function run(words: readonly string[]): Promise<ExitCode> {
  try {
    return await serveInBackground(words)
  } catch (error) {
    const failure = failureOf(error)
    await tell({ type: 'failed', ...failure })
    return failure.exitCode
  }
}

async function serveInBackground(words: readonly string[]): Promise<ExitCode> {
  const invocation = parseArguments(words)
  if (invocation.command !== 'mount') throw new TypeError(`${invocation.command} is nothing for the background`)
  const configuration = await resolveMount(invocation.line, processEnvironment())
  const { file = '/dev/null', level, maxBytes } = configuration.log
  sendStandardErrorTo(file)
  const log = new LineLog(new LogFile(file, maxBytes), level)
  // The folder in which the user stood can then be unmounted.
  process.chdir('/')
  // Whoever asked for the mount and gives up before it is there does not want it any more.
  const onDisconnect = () => process.kill(process.pid, 'SIGTERM')
  process.once('disconnect', onDisconnect)
  try {
    return await serve(configuration, log, () => {
      process.off('disconnect', onDisconnect)
      void tell({ type: 'ready', lines: readyLines(configuration) }).then(() => process.disconnect())
    })
  } catch (error) {
    log.error('the mount could not be made', { error })
    throw error
  }
}

/** Resolves when the message is on its way, or nobody is left to take it. */
function tell(message: DaemonMessage): Promise<void> {
  return new Promise(resolve => {
    if (process.connected && process.send !== undefined) process.send(message, undefined, {}, () => resolve())
    else resolve()
  })
}

process.exit(await run(process.argv.slice(2)))
