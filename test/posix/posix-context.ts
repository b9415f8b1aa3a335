import { type ExecFileException, execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'

/** What a program left behind. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** One test: its own empty folder in the file system under test, and programs that run in it. */
export class PosixContext {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names)
  }

  /** Runs a program in the folder; resolves however it ends. */
  outcome(program: string, ...words: readonly string[]): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const options = { cwd: this.folder, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, LC_ALL: 'C.UTF-8' } }
      execFile(program, words, options, (error: ExecFileException | null, stdout, stderr) => {
        const code = error === null ? 0 : error.code
        if (typeof code === 'number') resolve({ code, stdout, stderr })
        else reject(error)
      })
    })
  }

  /** What a program says on standard output; rejects when it fails. */
  async run(program: string, ...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.outcome(program, ...words)
    if (code !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${code}: ${stderr}`)
    return stdout
  }

  /** `words` are `$1`, `$2`, ... of the script. */
  sh(script: string, ...words: readonly string[]): Promise<string> {
    return this.run('/bin/sh', '-ec', script, 'sh', ...words)
  }

  /** `words` are `sys.argv[1:]`; `os`, `sys` and `mmap` are imported. */
  python(script: string, ...words: readonly string[]): Promise<string> {
    return this.run('/usr/bin/python3', '-c', `import os, sys, mmap\n${script}`, ...words)
  }

  /** Runs a shell script as a user without rights. */
  asNobody(script: string): Promise<Outcome> {
    return this.outcome('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '/bin/sh', '-ec', script)
  }

  text(...names: readonly string[]): Promise<string> {
    return readFile(this.path(...names), 'utf8')
  }

  /** Sorted, so that it can be compared. */
  async names(...folder: readonly string[]): Promise<string[]> {
    return (await readdir(this.path(...folder))).sort()
  }
}

export type PosixTests = Readonly<Record<string, (t: PosixContext) => Promise<void>>>

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, errno]) => [-errno, name]))

/** The errno's name with which a call fails (also where Node has none for it: ESTALE), or `done`. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    const name = 'errno' in error ? ERRNO_NAMES.get(Number(error.errno)) : undefined
    return name ?? String(error.code)
  }
}
