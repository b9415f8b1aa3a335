import { describe } from 'vitest'
import { type ProgramsPlace, programsSuite } from '../programs/programs.suite.js'
import { canMount, type Driver, type MountSettings, mountsOfThisFile } from '../support/mount-driver.js'

const mounts = mountsOfThisFile()

function mountWith(...flags: readonly string[]): ProgramsPlace {
  let driver: Driver
  let settings: MountSettings
  return {
    open: async () => {
      const [mountPoint, stateDir] = [await mounts.folder('mnt'), await mounts.folder('state')]
      settings = { url: `file://${await mounts.folder('store')}`, flags, mountPoint, stateDir }
      driver = await mounts.start(settings)
      return mountPoint
    },
    reopen: async () => {
      await driver.unmount()
      driver = await mounts.start(settings)
    },
    openLocal: () => mounts.folder('local'),
  }
}

/** What does not rest on what the C code of fuse-native can't do: setting times, and files without a name. */
const ON_FUSE_NATIVE = [
  'editors save',
  'sed -i',
  'dd conv=notrunc',
  'python adds',
  'a film',
  'tail -f',
  'find -delete',
  'git commits',
  'journal deleted',
]

describe.skipIf(!canMount())('programs over the kernel transport', () => {
  programsSuite(mountWith())
})

describe.skipIf(!canMount())('programs over fuse-native', () => {
  programsSuite(mountWith('--transport', 'fuse-native'), { only: ON_FUSE_NATIVE })
})
