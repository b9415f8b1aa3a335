import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** Compiled, this file is build/scripts/bench/timed-command.js. */
const PROGRAMS = join(import.meta.dirname, 'programs/main.js')

/** So long a program that was killed may take to end. */
const UNKILLABLE_MS = 3000

/** A workload did not end within its time. */
export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError'
}

interface Finished {
  readonly seconds: number
  readonly output: string
}

/** Runs a command within a time limit; whatever it started ends with it. Rejects unless it ends with 0. */
async function run(words: readonly string[], limitMs: number): Promise<Finished> {
  const [file = '', ...others] = words
  const env = { ...process.env, LC_ALL: 'C', UV_THREADPOOL_SIZE: '16' }
  const startMs = performance.now()
  const child = spawn(file, others, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env })
  let output = ''
  let complaints = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    complaints = (complaints + text).slice(-1000)
  })
  const late = new AbortController()
  const timers = [
    setTimeout(() => endGroup(child.pid), limitMs),
    // What can't be ended waits for the driver, and ends with the mount.
    setTimeout(() => late.abort(), limitMs + UNKILLABLE_MS),
  ]
  try {
    const [code, signal] = (await once(child, 'close', { signal: late.signal })) as [number | null, string | null]
    const seconds = (performance.now() - startMs) / 1000
    if (seconds * 1000 >= limitMs && signal === 'SIGKILL') throw tooLate(limitMs)
    if (code !== 0) throw new Error(`${others.slice(-3).join(' ')}: ${complaints.trim() || `ended with ${code}`}`)
    return { seconds, output }
  } catch (error) {
    if (late.signal.aborted) throw tooLate(limitMs)
    throw error
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}

function tooLate(limitMs: number): TimeLimitError {
  return new TimeLimitError(`over ${Math.round(limitMs / 1000)} s`)
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}

/** Seconds from the start of the shell to its end. The words are $1, $2 ... of the script. */
export async function timeShell(limitMs: number, script: string, ...words: readonly string[]): Promise<number> {
  const { seconds } = await run(['/bin/sh', '-c', script, 'sh', ...words], limitMs)
  return seconds
}

/** What a program of programs/main.ts prints. */
export async function runProgram<T>(limitMs: number, ...words: readonly string[]): Promise<T> {
  const { output } = await run([process.execPath, PROGRAMS, ...words], limitMs)
  return JSON.parse(output) as T
}
