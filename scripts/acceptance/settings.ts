import { parseArgs } from 'node:util'
import type { TransportName } from './site.js'

export const USAGE = `npm run test:acceptance -- [--size MIB] [--files NUMBER] [--transport kernel|fuse-native|both] [--only TEXT]

  --size MIB          of the one large file (3072)
  --files NUMBER      how many small files (5000)
  --transport NAME    kernel, fuse-native or both (both)
  --only TEXT         only steps whose title has this text`

export interface Settings {
  readonly largeBytes: number
  readonly files: number
  readonly transports: readonly TransportName[]
  /** Text in the titles of the steps to run; empty: all. */
  readonly only: string
}

/** Throws where the words are no flags of this program. */
export function readSettings(words: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...words],
    options: {
      size: { type: 'string', default: '3072' },
      files: { type: 'string', default: '5000' },
      transport: { type: 'string', default: 'both' },
      only: { type: 'string', default: '' },
    },
  })
  return {
    largeBytes: count('--size', values.size) * 2 ** 20,
    files: count('--files', values.files),
    transports: transportsOf(values.transport),
    only: values.only,
  }
}

function count(flag: string, text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`${flag}: a number is expected, not ${text}`)
  return Number(text)
}

function transportsOf(name: string): readonly TransportName[] {
  if (name === 'both') return ['kernel', 'fuse-native']
  if (name === 'kernel' || name === 'fuse-native') return [name]
  throw new Error(`--transport: kernel, fuse-native or both, not ${name}`)
}
