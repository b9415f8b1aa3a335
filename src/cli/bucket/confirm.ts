import { createInterface } from 'node:readline/promises'
import type { CommandContext } from './context.js'

/** True with --yes, or when who sits at the terminal says so. Throws a ConfigurationError where nobody can be asked. */
export async function isConfirmed(context: CommandContext, question: string): Promise<boolean> {
  if (context.isOn('yes')) return true
  if (!process.stdin.isTTY) throw context.usage('--yes', 'it, where nobody can be asked', 'no terminal')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `, { signal: context.signal })).trim())
  } finally {
    terminal.close()
  }
}
