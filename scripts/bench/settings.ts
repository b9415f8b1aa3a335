import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Knobs } from '../servers/s3/knobs.js'
import { readMountFile } from './mounts/mount-file.js'
import { MOUNT_KINDS, type MountKind } from './mounts/mount-kind.js'
import { SCALES, type Scale, type Workload } from './workload.js'
import { WORKLOADS } from './workloads/all.js'

/** Compiled, this file is build/scripts/bench/settings.js. */
const OUTPUT = join(import.meta.dirname, '../../bench')

/** What the endpoint is like. */
export interface Setting {
  readonly name: string
  readonly title: string
  readonly knobs: Partial<Knobs>
}

const SETTINGS: readonly Setting[] = [
  { name: 'L0', title: 'no latency', knobs: {} },
  {
    name: 'L20',
    title: '20 ms latency, 90 MB/s per connection',
    knobs: { latencyMs: 20, bytesPerSecond: 90_000_000 },
  },
]

export const USAGE = `npm run bench -- [OPTIONS]

  --only NAME,NAME      workloads: ${names(WORKLOADS)} (all)
  --mounts NAME,NAME    drivers: ${names(MOUNT_KINDS)}, and those of --config
                        (all that are installed but ours-threads and ours-https)
  --settings NAME,NAME  ${SETTINGS.map(({ name, title }) => `${name}: ${title}`).join('; ')} (both)
  --rounds NUMBER       of which the medians are shown (3)
  --size NAME           full, or small for tries (full)
  --limit SECONDS       after which a workload is given up (120 without latency, 300 with it)
  --config FILE         further drivers, in YAML or JSON: a list \`mounts\` of name, command, and perhaps env, unmount,
                        watch (the process that serves, when the command goes to the background) and learns (what is
                        kept from mount to mount, below {folder}).
                        {bucket} {endpoint} {secureEndpoint} {certificate} {accessKeyId} {secretAccessKey} {mountPoint} {folder} stand for themselves
  --output FOLDER       for bench.md, bench.json and bench.svg (build/bench)
  --help`

export interface BenchSettings {
  readonly workloads: readonly Workload[]
  readonly kinds: readonly MountKind[]
  readonly settings: readonly Setting[]
  readonly rounds: number
  readonly sizeName: string
  readonly scale: Scale
  readonly limitMs: number | undefined
  readonly outputFolder: string
}

/** Undefined: only help is wanted. Throws where the words are none of this program's. */
export function readSettings(words: readonly string[]): BenchSettings | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: 'string' },
      mounts: { type: 'string' },
      settings: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      size: { type: 'string', default: 'full' },
      limit: { type: 'string' },
      config: { type: 'string' },
      output: { type: 'string', default: OUTPUT },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const scale = SCALES[values.size]
  if (scale === undefined) throw new Error(`--size: full or small, not ${values.size}`)
  const more = values.config === undefined ? [] : readMountFile(values.config)
  return {
    workloads: chosen('--only', WORKLOADS, values.only),
    kinds: chosen('--mounts', [...MOUNT_KINDS, ...more], values.mounts).filter(
      kind => values.mounts !== undefined || kind.isOptional !== true,
    ),
    settings: chosen('--settings', SETTINGS, values.settings),
    rounds: positive('--rounds', values.rounds),
    sizeName: values.size,
    scale,
    limitMs: values.limit === undefined ? undefined : positive('--limit', values.limit) * 1000,
    outputFolder: values.output,
  }
}

function positive(flag: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`${flag}: a number from 1 on, not ${text}`)
  return Number(text)
}

interface Named {
  readonly name: string
}

function names(all: readonly Named[]): string {
  return all.map(({ name }) => name).join(', ')
}

/** In the order in which they are known. */
function chosen<T extends Named>(flag: string, all: readonly T[], text: string | undefined): readonly T[] {
  if (text === undefined) return all
  const wanted = text.split(',')
  const unknown = wanted.filter(name => !all.some(item => item.name === name))
  if (unknown.length > 0) throw new Error(`${flag}: ${unknown.join(', ')} is none of ${names(all)}`)
  return all.filter(({ name }) => wanted.includes(name))
}
