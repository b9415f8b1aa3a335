import { execa } from 'execa'

/** An ordinary program that takes longer hangs. */
const LIMIT_MS = 20 * 60_000

/** How much of what a failing program says is passed on. */
const SHOWN_CHARACTERS = 2000

export interface Surroundings {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a program to its end and gives its standard output without the last newline. Rejects unless it exits with 0. */
export async function run(words: readonly string[], { cwd, env = {} }: Surroundings = {}): Promise<string> {
  const [program = '', ...rest] = words
  const result = await execa(program, rest, {
    stdin: 'ignore',
    timeout: LIMIT_MS,
    reject: false,
    env: { LC_ALL: 'C', ...env },
    ...(cwd === undefined ? {} : { cwd }),
  })
  if (!result.failed) return result.stdout
  const said = (result.stderr || result.stdout).slice(-SHOWN_CHARACTERS)
  throw new Error(`${result.shortMessage ?? words.join(' ')}${said === '' ? '' : `\n${said}`}`)
}

/** A script for /bin/sh that stops at the first failure; `words` are `$1`, `$2` and so on. */
export function shell(script: string, words: readonly string[] = [], surroundings: Surroundings = {}): Promise<string> {
  return run(['sh', '-eu', '-c', script, 'sh', ...words], surroundings)
}

/** Debian's own Python, which has Debian's python3-pil. */
export function python(script: string, words: readonly string[]): Promise<string> {
  return run(['/usr/bin/python3', '-c', script, ...words])
}
