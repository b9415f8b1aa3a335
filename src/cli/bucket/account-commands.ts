import type { CommandRow } from './command.js'

/** The commands for buckets as a whole. */
export const ACCOUNT_COMMANDS: readonly CommandRow[] = [
  {
    name: 'buckets',
    usage: '',
    summary: 'list buckets',
    group: 'Buckets',
    load: async () => (await import('./buckets.js')).buckets,
  },
  {
    name: 'create-bucket',
    alias: 'mb',
    usage: 'NAME',
    summary: 'make a bucket',
    group: 'Buckets',
    load: async () => (await import('./create-bucket.js')).createBucket,
  },
  {
    name: 'delete-bucket',
    alias: 'rb',
    usage: 'NAME',
    summary: 'delete a bucket that is empty, or with --force any',
    group: 'Buckets',
    load: async () => (await import('./delete-bucket.js')).deleteBucket,
  },
  {
    name: 'bucket-exists',
    usage: 'NAME',
    summary: 'tell by the exit code whether there is a bucket',
    group: 'Buckets',
    load: async () => (await import('./bucket-exists.js')).bucketExists,
  },
  {
    name: 'validate-credentials',
    usage: '',
    summary: 'tell by the exit code whether the store knows the credentials',
    group: 'Buckets',
    load: async () => (await import('./validate-credentials.js')).validateCredentials,
  },
  {
    name: 'regions',
    usage: '',
    summary: 'list the regions of Amazon',
    group: 'Buckets',
    load: async () => (await import('./regions.js')).regions,
  },
]
