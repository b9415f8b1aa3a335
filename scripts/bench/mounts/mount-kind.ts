import { join } from 'node:path'

/** A driver that can be measured. Words and values may hold the placeholders of `Placeholders`, in braces. */
export interface MountKind {
  readonly name: string
  /** Serves the mount, in the foreground unless `watch` is given. */
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Default: fusermount3 -u {mountPoint}. */
  readonly unmount?: readonly string[]
  /** The name of the process that serves, when the command goes to the background (as /proc/PID/comm has it). */
  readonly watch?: string
  /** Below {folder}: what it has learned of the endpoint, handed on from mount to mount as on a machine in use. */
  readonly learns?: string
  /** Measured only when it is asked for by its name. */
  readonly isOptional?: boolean
}

export interface Placeholders {
  readonly bucket: string
  readonly endpoint: string
  /** The same over HTTPS. */
  readonly secureEndpoint: string
  /** A file with the certificate to trust for it. */
  readonly certificate: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly mountPoint: string
  /** Of this mount alone: for state, caches and logs. */
  readonly folder: string
}

/** Compiled, this file is build/scripts/bench/mounts/mount-kind.js. */
const OURS = join(import.meta.dirname, '../../../../dist/cli/mount-bucket.js')

const AWS_ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: '{accessKeyId}',
  AWS_SECRET_ACCESS_KEY: '{secretAccessKey}',
  AWS_REGION: 'us-east-1',
}

function ours(name: string, transport: string, more: readonly string[] = [], endpoint = '{endpoint}'): MountKind {
  const places = ['--state-dir', '{folder}/state', '--log-file', '{folder}/log']
  const store = ['s3://{bucket}', '{mountPoint}', '--endpoint', endpoint, '--region', 'us-east-1']
  // Only with Amazon's own S3 are they on by default.
  const sums = ['--checksums', 'on']
  return {
    name,
    command: [process.execPath, OURS, ...store, ...sums, '--foreground', '--transport', transport, ...places, ...more],
    env: { ...AWS_ENVIRONMENT, XDG_CACHE_HOME: '{folder}/cache', NODE_EXTRA_CA_CERTS: '{certificate}' },
    learns: 'state/endpoints',
  }
}

/** The main thread alone and with data threads, over HTTP and HTTPS. */
function variants(): readonly MountKind[] {
  const threads = ['--data-threads', '2']
  return [
    ours('ours-threads', 'kernel', threads),
    ours('ours-https', 'kernel', [], '{secureEndpoint}'),
    ours('ours-https-threads', 'kernel', threads, '{secureEndpoint}'),
  ].map(kind => ({ ...kind, isOptional: true }))
}

/** Known without a configuration. Writes of all of them are stored when close returns. */
export const MOUNT_KINDS: readonly MountKind[] = [
  ours('ours', 'kernel'),
  ours('ours-fuse-native', 'fuse-native'),
  ...variants(),
  {
    name: 's3fs',
    command: ['s3fs', '{bucket}', '{mountPoint}', '-f', '-o', 'url={endpoint},use_path_request_style'],
    env: { AWSACCESSKEYID: '{accessKeyId}', AWSSECRETACCESSKEY: '{secretAccessKey}' },
  },
  {
    name: 'rclone',
    command: [
      ...['rclone', 'mount', 'bench:{bucket}', '{mountPoint}', '--cache-dir', '{folder}/cache', '--config', ''],
      ...['--vfs-cache-mode', 'minimal', '--vfs-write-back', '0s', '--ignore-checksum'],
    ],
    env: {
      RCLONE_CONFIG_BENCH_TYPE: 's3',
      RCLONE_CONFIG_BENCH_PROVIDER: 'Other',
      RCLONE_CONFIG_BENCH_ENDPOINT: '{endpoint}',
      RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: '{accessKeyId}',
      RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: '{secretAccessKey}',
      RCLONE_CONFIG_BENCH_REGION: 'us-east-1',
    },
  },
]

/** A word with its placeholders filled in. Throws on one that there is not. */
export function filled(word: string, values: Placeholders): string {
  const known: Readonly<Record<string, string>> = { ...values }
  return word.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = known[name]
    if (value === undefined) throw new Error(`{${name}} is no placeholder: ${Object.keys(known).join(', ')}`)
    return value
  })
}
