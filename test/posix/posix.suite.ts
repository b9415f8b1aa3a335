import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, test } from 'vitest'
import { ACCESS_TESTS } from './access-tests.js'
import { ATTRIBUTE_TESTS } from './attribute-tests.js'
import { DATA_TESTS } from './data-tests.js'
import { DESCRIPTOR_TESTS } from './descriptor-tests.js'
import { DIRECTORY_TESTS } from './directory-tests.js'
import { LINK_TESTS } from './link-tests.js'
import { MMAP_TESTS } from './mmap-tests.js'
import { NAME_TESTS } from './name-tests.js'
import { OPEN_TESTS } from './open-tests.js'
import { PosixContext, type PosixTests } from './posix-context.js'
import { RENAME_TESTS } from './rename-tests.js'
import { TRUNCATE_TESTS } from './truncate-tests.js'
import { UNLINK_TESTS } from './unlink-tests.js'

const GROUPS = {
  open: OPEN_TESTS,
  'read and write': DATA_TESTS,
  truncate: TRUNCATE_TESTS,
  folders: DIRECTORY_TESTS,
  unlink: UNLINK_TESTS,
  rename: RENAME_TESTS,
  attributes: ATTRIBUTE_TESTS,
  names: NAME_TESTS,
  descriptors: DESCRIPTOR_TESTS,
  mmap: MMAP_TESTS,
  access: ACCESS_TESTS,
  links: LINK_TESTS,
} as const

type TestNames<Group> = Group extends Group ? Extract<keyof Group, string> : never
type PosixTestName = TestNames<(typeof GROUPS)[keyof typeof GROUPS]>

/** Tests that a file system is known to fail, each with the reason. One that passes by now must leave the list. */
export type PosixExceptions = Readonly<Partial<Record<PosixTestName, string>>>

/**
 * What programs expect of a folder, by system call. Every test gets an empty folder of its own below the one that
 * `openFolder` gives. Needs root, since it changes owners and tries what other users may do.
 */
export function posixSuite(name: string, openFolder: () => Promise<string>, exceptions: PosixExceptions = {}): void {
  describe(`POSIX: ${name}`, () => {
    let root = ''
    let folders = 0
    beforeAll(async () => {
      root = await openFolder()
    })
    const freshContext = async () => {
      const folder = join(root, `t${++folders}`)
      await mkdir(folder)
      return new PosixContext(folder)
    }
    for (const [group, tests] of Object.entries<PosixTests>(GROUPS))
      describe(group, () => {
        for (const [title, run] of Object.entries(tests)) {
          const reason = (exceptions as Readonly<Record<string, string | undefined>>)[title]
          if (reason === undefined) test(title, async () => run(await freshContext()))
          else test.fails(`${title} (not here: ${reason})`, async () => run(await freshContext()))
        }
      })
  })
}
