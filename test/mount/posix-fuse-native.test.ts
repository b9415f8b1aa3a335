import { describe } from 'vitest'
import { posixSuite } from '../posix/posix.suite.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { FUSE_NATIVE_EXCEPTIONS } from '../support/posix-exceptions.js'

const mounts = mountsOfThisFile()
const FLAGS = ['--allow-other', '--transport', 'fuse-native']

describe.skipIf(!canMount())('fuse-native transport', () => {
  const openFolder = async () => {
    const folder = await mounts.folder('store')
    return (await mounts.start({ url: `file://${folder}`, flags: FLAGS })).mountPoint
  }
  posixSuite('file://', openFolder, { exceptions: FUSE_NATIVE_EXCEPTIONS })
})
