import { resolve } from 'node:path'
import type { Environment } from '../config/environment.js'
import { type CommandLine, resolveStateRoot } from '../config/resolve.js'
import { type EndResult, endMount } from '../fuse/mount-end.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { complain, say } from './output.js'

export interface UnmountRequest {
  readonly line: CommandLine
  readonly mountPoint: string
  readonly lazy: boolean
}

/** `mount-bucket unmount`: returns when the driver has ended. Rejects with what keeps the mount from being ended. */
export async function unmount(request: UnmountRequest, environment: Environment): Promise<ExitCode> {
  const stateRoot = await resolveStateRoot(request.line, environment)
  const mountPoint = resolve(environment.workingFolder, request.mountPoint)
  const result = await endMount({ mountPoint, stateRoot, lazy: request.lazy })
  return report(mountPoint, result)
}

function report(mountPoint: string, result: EndResult): ExitCode {
  switch (result.kind) {
    case 'driver-unknown':
      say(`${mountPoint} is unmounted`)
      complain('its driver keeps its state elsewhere (--state-dir), so whether all is stored stands in its own log')
      return EXIT.done
    case 'driver-gone':
      say(`${mountPoint} is unmounted`)
      complain(
        `its driver had ended before; what it had not stored yet is kept in ${result.stateDir}`,
        'after the next mount there, mount-bucket recover lists it',
      )
      return EXIT.done
    case 'ended':
      if (result.end.isAllStored) {
        say(`${mountPoint} is unmounted, all is stored`)
        return EXIT.done
      }
      complain(
        `${mountPoint} is unmounted, but not all could be stored`,
        ...result.end.kept.map(({ path, keptAt }) => `${path} is kept at ${keptAt}`),
        'mount-bucket recover lists it, stores it or saves it elsewhere',
      )
      return EXIT.notStored
  }
}
