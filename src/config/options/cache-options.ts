import { KEEP_FREE } from '../keep-free.js'
import { MIB, type Option, PIB } from '../option.js'

/** The disk cache. */
export const CACHE_OPTIONS = {
  cacheDir: {
    group: 'Caches and reading',
    value: { type: 'path' },
    placeholder: 'FOLDER',
    help: 'keep what was read on the local disk too, below this folder, which any number of mounts may share',
    defaultNote: 'no disk cache',
    schemes: ['s3'],
  },
  cacheSize: {
    group: 'Caches and reading',
    value: { type: 'size', leastBytes: 64 * MIB, mostBytes: PIB },
    placeholder: 'SIZE',
    default: '10G',
    help: 'how much all mounts with this `--cache-dir` may keep there; what was used least recently goes first',
    schemes: ['s3'],
  },
  cacheFree: {
    group: 'Caches and reading',
    value: { type: 'text', what: 'a share such as 5% or a size such as 20G', pattern: KEEP_FREE },
    placeholder: 'SHARE',
    default: '5%',
    help: 'how much of its disk the disk cache leaves free, as a share or a size: it becomes smaller where others need room',
    schemes: ['s3'],
  },
} as const satisfies Record<string, Option>
