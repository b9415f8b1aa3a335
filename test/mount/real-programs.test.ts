import { describe } from 'vitest'
import { programsSuite } from '../programs/programs.suite.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'

const mounts = mountsOfThisFile()

function places(...flags: readonly string[]) {
  let driver: Driver
  let settings: Parameters<typeof mounts.start>[0]
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

describe.skipIf(!canMount())('kernel transport', () => {
  programsSuite(places())
})
