import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import type { MountKind } from './mount-kind.js'

const KIND = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/),
  command: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()).optional(),
  unmount: z.array(z.string()).min(1).optional(),
  watch: z.string().optional(),
  learns: z.string().optional(),
})
const FILE = z.strictObject({ mounts: z.array(KIND) })

/** Further drivers, from a file in YAML or JSON: `mounts:`, a list of what MountKind has. Throws on anything else. */
export function readMountFile(file: string): readonly MountKind[] {
  const read = FILE.safeParse(parse(readFileSync(file, 'utf8')))
  if (!read.success) throw new Error(`${file}: ${z.prettifyError(read.error)}`)
  return read.data.mounts.map(withoutUndefined)
}

function withoutUndefined(kind: z.infer<typeof KIND>): MountKind {
  const { name, command, ...others } = kind
  const given = Object.entries(others).filter(([, value]) => value !== undefined)
  return { name, command, ...(Object.fromEntries(given) as Partial<MountKind>) }
}
