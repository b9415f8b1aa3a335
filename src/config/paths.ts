import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Environment } from './environment.js'

const NAME = 'mount-bucket'

/**
 * Where the driver keeps what (XDG Base Directory Specification 0.8; root has the places of a system service). A user
 * without a home folder has only those that the environment names.
 */
export interface Places {
  /** Configuration files, the nearer first. */
  readonly configFiles: readonly string[]
  /** Holds one folder for each pair of store and mount point, and `endpoints`. */
  readonly stateRoot: string | undefined
  readonly cacheRoot: string | undefined
  /** The folder of the embedded store. */
  readonly embeddedStore: string | undefined
  /** Undefined: logs go to the mount's own state folder. */
  readonly logRoot: string | undefined
}

export function placesOf(environment: Environment): Places {
  const config = userFolder(environment, 'XDG_CONFIG_HOME', '.config')
  const configFiles = [join('/etc', NAME, 'config.yaml')]
  if (config !== undefined) configFiles.unshift(join(config, NAME, 'config.yaml'))
  if (environment.uid === 0)
    return {
      configFiles,
      stateRoot: join('/var/lib', NAME),
      cacheRoot: join('/var/cache', NAME),
      embeddedStore: join('/var/lib', NAME, 'store'),
      logRoot: join('/var/log', NAME),
    }
  return {
    configFiles,
    stateRoot: below(userFolder(environment, 'XDG_STATE_HOME', '.local/state')),
    cacheRoot: below(userFolder(environment, 'XDG_CACHE_HOME', '.cache')),
    embeddedStore: below(userFolder(environment, 'XDG_DATA_HOME', '.local/share'), 'store'),
    logRoot: undefined,
  }
}

/** Names the state folder of a mount: the same store at the same place is the same mount again. */
export function mountId(url: string, mountPoint: string): string {
  return createHash('sha256').update(`${url}\0${mountPoint}`).digest('hex').slice(0, 16)
}

function below(folder: string | undefined, ...names: readonly string[]): string | undefined {
  return folder === undefined ? undefined : join(folder, NAME, ...names)
}

function userFolder(environment: Environment, variable: string, inHome: string): string | undefined {
  const value = environment.variables[variable]
  // Relative paths in these variables are to be ignored, says the specification.
  if (value?.startsWith('/')) return value
  return environment.homeFolder === undefined ? undefined : join(environment.homeFolder, inHome)
}
