import { GIB, KIB, type Option } from '../option.js'

/** The driver's own process: where it runs, keeps its state and writes its log, and what configures it. */
export const DRIVER_OPTIONS = {
  foreground: {
    group: 'Driver',
    value: { type: 'switch' },
    default: 'false',
    help: 'serve the mount in this process and end with it, instead of going to the background',
    short: '-f',
    inFile: false,
    inMountOptions: false,
  },
  logFile: {
    group: 'Driver',
    value: { type: 'path' },
    placeholder: 'FILE',
    help: 'where the log is written',
    defaultNote: 'standard error with `--foreground`, else `/var/log/mount-bucket/` (root) or the state folder',
  },
  logLevel: {
    group: 'Driver',
    value: { type: 'choice', choices: ['error', 'warn', 'info', 'debug'] },
    placeholder: 'LEVEL',
    default: 'info',
    help: 'the least grave events that the log tells of',
  },
  logSize: {
    group: 'Driver',
    value: { type: 'size', leastBytes: 4 * KIB, mostBytes: 64 * GIB },
    placeholder: 'SIZE',
    default: '10M',
    help: 'how large the log file grows before it is begun anew; one old one is kept',
  },
  stateDir: {
    group: 'Driver',
    value: { type: 'path' },
    placeholder: 'FOLDER',
    help: 'where data on its way to the store and what outlives the driver are kept',
    defaultNote: '`$XDG_STATE_HOME/mount-bucket` (`~/.local/state`), as root `/var/lib/mount-bucket`',
  },
  use: {
    group: 'Driver',
    value: { type: 'text', what: 'the name of a profile' },
    placeholder: 'NAME',
    help: 'take the options below `profiles: NAME:` of the configuration file first',
    defaultNote: 'none',
  },
  config: {
    group: 'Driver',
    value: { type: 'path' },
    placeholder: 'FILE',
    help: 'the only configuration file to read',
    defaultNote: '`$XDG_CONFIG_HOME/mount-bucket/config.yaml` (`~/.config`), then `/etc/mount-bucket/config.yaml`',
    inFile: false,
  },
  insecureConfig: {
    group: 'Driver',
    value: { type: 'switch' },
    default: 'false',
    help: 'take keys from a configuration file that others than its owner can read, too',
    inFile: false,
  },
} as const satisfies Record<string, Option>
