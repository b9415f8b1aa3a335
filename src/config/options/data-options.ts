import { DAY_MS, GIB, HOUR_MS, KIB, MIB, type Option, PIB, SECOND_MS } from '../option.js'

/** Caches, requests and uploads: what bounds memory, disk and time. */
export const DATA_OPTIONS = {
  memoryCache: {
    group: 'Caches and reading',
    value: { type: 'size', leastBytes: MIB, mostBytes: 64 * GIB },
    placeholder: 'SIZE',
    default: '48M',
    help: 'how much of what was read is held in memory',
  },
  readAhead: {
    group: 'Caches and reading',
    value: { type: 'size', leastBytes: 0, mostBytes: GIB },
    placeholder: 'SIZE',
    default: '32M',
    help: 'how far the driver reads ahead of a sequential reader at the most',
  },
  metadataTtl: {
    group: 'Caches and reading',
    value: { type: 'duration', leastMs: 0, mostMs: 365 * DAY_MS },
    placeholder: 'TIME',
    default: '10s',
    help: 'how long what is known of names, sizes and times is trusted; 0 asks the store at every open',
  },
  metadataEntries: {
    group: 'Caches and reading',
    value: { type: 'count', least: 100, most: 100_000_000 },
    placeholder: 'NUMBER',
    default: '200000',
    help: 'of how many names something is remembered',
  },
  attributes: {
    group: 'Caches and reading',
    value: { type: 'choice', choices: ['listing', 'full'] },
    placeholder: 'WHAT',
    default: 'listing',
    help: 'what a listing shows of objects that this machine has neither written nor read: size and time with the default mode, or, at the price of a request for each, all that is kept with them',
  },
  requests: {
    group: 'Caches and reading',
    value: { type: 'count', least: 2, most: 1024 },
    placeholder: 'NUMBER',
    default: '32',
    help: 'how many requests to the store run at once',
  },
  timeout: {
    group: 'Caches and reading',
    value: { type: 'duration', leastMs: SECOND_MS, mostMs: DAY_MS },
    placeholder: 'TIME',
    default: '60s',
    help: 'how long a call waits for the store without any progress',
  },
  attempts: {
    group: 'Caches and reading',
    value: { type: 'count', least: 1, most: 100 },
    placeholder: 'NUMBER',
    default: '8',
    help: 'how often a request is tried in all, within `--timeout`',
  },
  partSize: {
    group: 'Writing',
    value: { type: 'size', leastBytes: 5 * MIB, mostBytes: GIB },
    placeholder: 'SIZE',
    default: '8M',
    help: 'the parts in which larger files are uploaded; grows by itself where a file needs more than 10,000',
  },
  uploadConcurrency: {
    group: 'Writing',
    value: { type: 'count', least: 1, most: 64 },
    placeholder: 'NUMBER',
    default: '4',
    help: 'how many parts of a file are uploaded at once; each takes the memory of a part',
  },
  stagingSize: {
    group: 'Writing',
    value: { type: 'size', leastBytes: 64 * KIB, mostBytes: PIB },
    placeholder: 'SIZE',
    default: '10G',
    help: 'how much of the local disk data on its way to the store may take',
  },
  abortAfter: {
    group: 'Writing',
    value: { type: 'duration', leastMs: HOUR_MS, mostMs: 3650 * DAY_MS },
    placeholder: 'TIME',
    default: '7d',
    help: 'when an upload that nobody finishes is dropped from the store',
  },
} as const satisfies Record<string, Option>
