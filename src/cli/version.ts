import { readFileSync } from 'node:fs'

/** What `--version` of a command says. */
export function versionLines(nodeVersion: string, program = 'mount-bucket'): readonly string[] {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { readonly version: string }
  const lines = [`${program} ${version}`]
  if (nodeVersion.startsWith('v20.'))
    lines.push(`Node.js ${nodeVersion} works; releases of the AWS SDK from January 2027 on will need Node.js 22`)
  return lines
}
