import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { DaemonMessage } from './daemon-message.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { complain, say } from './output.js'

/**
 * Starts a process of its own that serves the mount, waits until programs can use it, and says so. All else, the check
 * of the configuration too, is that process's work, so that it can begin at once.
 */
export async function mountInBackground(words: readonly string[]): Promise<ExitCode> {
  const script = fileURLToPath(new URL('./daemon.js', import.meta.url))
  const daemon = spawn(process.execPath, [script, ...words], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => daemon.kill('SIGTERM'))
  const message = await new Promise<DaemonMessage>(resolve => {
    daemon.once('message', received => resolve(received as DaemonMessage))
    daemon.once('error', error => resolve(ended(`the driver could not be started: ${error.message}`)))
    daemon.once('exit', (code, signal) => {
      const onGone = () => resolve(ended(`the driver ended before it was ready (${signal ?? `exit code ${code}`})`))
      // Its last message may still be on the way.
      if (daemon.connected) daemon.once('disconnect', onGone)
      else onGone()
    })
  })
  if (message.type === 'ready') {
    say(...message.lines)
    return EXIT.done
  }
  complain(...message.lines)
  return message.exitCode
}

function ended(line: string): DaemonMessage {
  return { type: 'failed', lines: [line], exitCode: EXIT.failed }
}
