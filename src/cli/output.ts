/** Lines for the person at the terminal. */
export function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map(line => `${line}\n`).join(''))
}

/** Lines about what went wrong. */
export function complain(...lines: readonly string[]): void {
  complainAs('mount-bucket', ...lines)
}

/** The same of a command that has another name. */
export function complainAs(program: string, ...lines: readonly string[]): void {
  process.stderr.write(lines.map(line => `${program}: ${line}\n`).join(''))
}

/** Resolves when all that was said has reached who reads it, or nobody does: pipes take only so much at once. */
export async function allSaid(): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map(ended))
}

function ended(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise(resolve => {
    stream.once('error', () => resolve())
    stream.write('', () => resolve())
  })
}
