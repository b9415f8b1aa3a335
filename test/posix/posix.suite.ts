import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { ACCESS_TESTS } from './access-tests.js'
import { ATTRIBUTE_TESTS } from './attribute-tests.js'
import { CallCase, type CallTests } from './call-case.js'
import { ERRNO_CALLS } from './calls/errno-calls.js'
import { LINK_CALLS } from './calls/link-calls.js'
import { LOCKING_CALLS } from './calls/locking-calls.js'
import { MAKING_CALLS } from './calls/making-calls.js'
import { MODE_CALLS } from './calls/mode-calls.js'
import { OPENING_CALLS } from './calls/opening-calls.js'
import { PERMISSION_CALLS } from './calls/permission-calls.js'
import { REMOVING_CALLS } from './calls/removing-calls.js'
import { RENAMING_CALLS } from './calls/renaming-calls.js'
import { TIME_CALLS } from './calls/time-calls.js'
import { TRUNCATING_CALLS } from './calls/truncating-calls.js'
import { XATTR_CALLS } from './calls/xattr-calls.js'
import { DATA_TESTS } from './data-tests.js'
import { DESCRIPTOR_TESTS } from './descriptor-tests.js'
import { DIRECTORY_TESTS } from './directory-tests.js'
import { LINK_TESTS } from './link-tests.js'
import { MMAP_TESTS } from './mmap-tests.js'
import { NAME_TESTS } from './name-tests.js'
import { OPEN_TESTS } from './open-tests.js'
import { PosixContext, type PosixTests } from './posix-context.js'
import { RENAME_TESTS } from './rename-tests.js'
import { ROOT, SystemCalls } from './system-calls.js'
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

const CALL_GROUPS = {
  'error numbers': ERRNO_CALLS,
  permissions: PERMISSION_CALLS,
  'modes and owners': MODE_CALLS,
  making: MAKING_CALLS,
  removing: REMOVING_CALLS,
  renaming: RENAMING_CALLS,
  times: TIME_CALLS,
  sizes: TRUNCATING_CALLS,
  opening: OPENING_CALLS,
  'links and listings': LINK_CALLS,
  'extended attributes': XATTR_CALLS,
  locks: LOCKING_CALLS,
} as const

type TestNames<Group> = Group extends Group ? Extract<keyof Group, string> : never
type PosixTestName = TestNames<(typeof GROUPS)[keyof typeof GROUPS] | (typeof CALL_GROUPS)[keyof typeof CALL_GROUPS]>

/** Tests that a file system is known to fail, each with the reason. One that passes by now must leave the list. */
export type PosixExceptions = Readonly<Partial<Record<PosixTestName, string>>>

export interface PosixOptions {
  readonly exceptions?: PosixExceptions
  /** `usual` leaves the tables by system call out: for stores that answer slowly. */
  readonly selection?: 'all' | 'usual'
}

/**
 * What programs expect of a folder, by system call. Every test gets an empty folder of its own below the one that
 * `openFolder` gives. Needs root, since it changes owners and tries what other users may do.
 */
export function posixSuite(name: string, openFolder: () => Promise<string>, options: PosixOptions = {}): void {
  const { selection = 'all', exceptions = {} } = options
  const reasons: Readonly<Record<string, string | undefined>> = exceptions
  const check = (title: string, run: () => Promise<void>) => {
    const reason = reasons[title]
    if (reason === undefined) test(title, run)
    else test.fails(`${title} (not here: ${reason})`, run)
  }
  describe(`POSIX: ${name}`, () => {
    let root = ''
    let folders = 0
    beforeAll(async () => {
      root = await openFolder()
    })
    const freshFolder = async () => {
      const folder = join(root, `t${++folders}`)
      await mkdir(folder)
      return folder
    }
    for (const [group, tests] of Object.entries<PosixTests>(GROUPS))
      describe(group, () => {
        for (const [title, run] of Object.entries(tests))
          check(title, async () => run(new PosixContext(await freshFolder())))
      })
    if (selection === 'all') callTests(freshFolder, check)
  })
}

/** The tables by system call, driven through processes of their own. */
function callTests(freshFolder: () => Promise<string>, check: (title: string, run: () => Promise<void>) => void): void {
  const processes = new Map<string, SystemCalls>()
  afterAll(async () => {
    for (const one of processes.values()) await one.stop()
  })
  /** Test after test in the same processes, unless one of them got stuck. */
  const enter = async (name: 'first' | 'second', folder: string) => {
    const last = processes.get(name)
    if (last?.isStuck) await last.stop()
    const calls = last === undefined || last.isStuck ? new SystemCalls() : last
    processes.set(name, calls)
    await calls.make({ who: ROOT, umask: 0o022, name: 'chdir', words: [folder] })
    return calls
  }
  for (const [group, tests] of Object.entries<CallTests>(CALL_GROUPS))
    describe(group, () => {
      for (const [title, run] of Object.entries(tests))
        check(title, async () => {
          const folder = await freshFolder()
          await new CallCase(await enter('first', folder), () => enter('second', folder)).run(run)
        })
    })
}
