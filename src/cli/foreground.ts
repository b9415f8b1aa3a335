import type { Environment } from '../config/environment.js'
import { type CommandLine, resolveMount } from '../config/resolve.js'
import { readyLines } from './daemon-message.js'
import type { ExitCode } from './exit-codes.js'
import { LineLog, LogFile, STDERR_SINK } from './log-file.js'
import { say } from './output.js'
import { serve } from './serve.js'

/** Serves the mount in this process. Rejects with whatever keeps it from being made. */
export async function mountInForeground(line: CommandLine, environment: Environment): Promise<ExitCode> {
  const configuration = await resolveMount(line, environment)
  const { file, level, maxBytes } = configuration.log
  // Who reads what it says may go away; the mount stays, and ends in order.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const log = new LineLog(file === undefined ? STDERR_SINK : new LogFile(file, maxBytes), level)
  return serve(configuration, log, () => say(...readyLines(configuration)))
}
