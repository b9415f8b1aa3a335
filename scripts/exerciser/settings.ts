import { parseArgs } from 'node:util'

export const USAGE = `npm run test:exerciser -- [--url URL] [--transport kernel|fuse-native] [--operations NUMBER] [--seed NUMBER]
  [--without NAME,NAME] [--shrink] [--only NUMBER,NUMBER] [--limit BYTES] [-- FLAGS OF mount-bucket]

  --url URL           of an empty bucket (mem://exerciser)
  --transport NAME    kernel or fuse-native (kernel)
  --operations NUMBER (100000)
  --seed NUMBER       random unless given; printed
  --without NAMES     what is left out, besides what the transport can't do
  --shrink            on a difference, look for the least that shows it
  --only, --limit     as a difference says them: walks that part again`

/** What the transports can't do, in the words of test/exerciser/exercise.py. */
const TRANSPORTS: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  'fuse-native': ['allocate', 'punch', 'zero', 'orphans', 'append'],
}

export interface ExerciserSettings {
  readonly url: string
  readonly transport: string
  /** For test/exerciser/main.py, behind the folder. */
  readonly words: readonly string[]
  readonly mountFlags: readonly string[]
}

/** Throws where the words are no flags of this program. */
export function readSettings(words: readonly string[]): ExerciserSettings {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      url: { type: 'string', default: 'mem://exerciser' },
      transport: { type: 'string', default: 'kernel' },
      operations: { type: 'string', default: '100000' },
      seed: { type: 'string' },
      without: { type: 'string', default: '' },
      only: { type: 'string' },
      limit: { type: 'string' },
      shrink: { type: 'boolean', default: false },
    },
  })
  const { url, transport, operations, without, shrink, seed, only, limit } = values
  const unable = TRANSPORTS[transport]
  if (unable === undefined) throw new Error(`--transport: kernel or fuse-native, not ${transport}`)
  const names = [...unable, ...without.split(',').filter(name => name !== '')]
  const given = Object.entries({ seed, only, limit }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  )
  return {
    url,
    transport,
    words: ['--operations', operations, '--without', names.join(','), ...given, ...(shrink ? ['--shrink'] : [])],
    mountFlags: positionals,
  }
}
