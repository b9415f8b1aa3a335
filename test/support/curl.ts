import { execa } from 'execa'

export interface CurlReply {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What curl gets: a client that shares no code with the project. */
export async function curl(...args: readonly string[]): Promise<CurlReply> {
  const { stdout } = await execa('curl', ['--silent', '--show-error', '--max-time', '60', '--include', ...args], {
    stripFinalNewline: false,
  })
  const heads = /^(?:HTTP\/1\.1 (?:100|417)[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)*/.exec(stdout)?.[0] ?? ''
  const rest = stdout.slice(heads.length)
  const end = rest.indexOf('\r\n\r\n')
  const [first = '', ...lines] = rest.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status: Number(first.split(' ')[1]), headers, body: rest.slice(end + 4) }
}

/** The arguments that send a form's fields and a file. */
export function formArguments(
  form: { readonly url: string; readonly fields: Readonly<Record<string, string>> },
  file: string,
): readonly string[] {
  const fields = Object.entries(form.fields).flatMap(([name, value]) => ['--form-string', `${name}=${value}`])
  return [...fields, '--form', `file=@${file}`, form.url]
}
