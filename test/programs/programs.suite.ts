import { mkdir } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { PosixContext } from '../posix/posix-context.js'
import { isInstalled } from '../support/installed.js'
import { BUILD_PROGRAMS } from './build-programs.js'
import { COPY_PROGRAMS } from './copy-programs.js'
import { DATABASE_PROGRAMS } from './database-programs.js'
import { EDIT_PROGRAMS } from './edit-programs.js'
import type { Program, Programs } from './program.js'
import { snapshot } from './snapshot.js'

const GROUPS: Readonly<Record<string, Programs>> = {
  copy: COPY_PROGRAMS,
  edit: EDIT_PROGRAMS,
  build: BUILD_PROGRAMS,
  database: DATABASE_PROGRAMS,
}

export interface ProgramsPlace {
  /** A folder of the file system under test. */
  open(): Promise<string>
  /** Unmounts and mounts again. */
  reopen(): Promise<void>
  /** A folder of a local disk. */
  openLocal(): Promise<string>
}

export interface ProgramsChoice {
  /** Texts in titles: only these are run. Default: all. */
  readonly only?: readonly string[]
  /** What is known to fail, each with the reason. One that passes by now must leave the list. */
  readonly exceptions?: Readonly<Record<string, string>>
}

/** A program that has run in both places. */
interface Done {
  readonly program: Program
  readonly title: string
  readonly here: PosixContext
  readonly there: PosixContext
  /** What it left on the mount. */
  readonly found: readonly string[]
}

/**
 * Each program runs on the mount and on a local disk, and must say and leave behind the same; and what it left is the
 * same after the mount was ended and begun again. Needs root.
 */
export function programsSuite(place: ProgramsPlace, { only = [''], exceptions = {} }: ProgramsChoice = {}): void {
  let mount: PosixContext
  let local: PosixContext
  const done: Done[] = []
  const emptyFolder = async (parent: PosixContext, name: string) => {
    const folder = new PosixContext(parent.path(name))
    await mkdir(folder.folder)
    return folder
  }

  beforeAll(async () => {
    mount = new PosixContext(await place.open())
    local = new PosixContext(await place.openLocal())
  })

  for (const [group, programs] of Object.entries(GROUPS))
    describe(group, () => {
      for (const [title, program] of Object.entries(programs).filter(([name]) =>
        only.some(text => name.includes(text)),
      )) {
        const reason = exceptions[title]
        const compare = async () => {
          const name = title.replaceAll(/\W+/g, '-')
          const [there, here] = [await emptyFolder(mount, name), await emptyFolder(local, name)]
          const wanted = await program.run(here)
          expect(await program.run(there)).toBe(wanted)
          const found = await snapshot(there)
          expect(comparable(found)).toEqual(comparable(await snapshot(here)))
          done.push({ program, title, here, there, found })
        }
        const run = test.skipIf(!(program.needs ?? []).every(isInstalled))
        if (reason === undefined) run(title, compare)
        else run.fails(`${title} (not here: ${reason})`, compare)
      }
    })

  describe('after a remount', () => {
    beforeAll(() => place.reopen())

    test('all of it is as it was', async () => {
      expect(done.length).toBeGreaterThan(0)
      for (const { there, found } of done) expect(await snapshot(there)).toEqual(found)
    })

    test('programs go on', async () => {
      for (const { program, title, here, there } of done)
        if (program.goOn) expect(`${title}: ${await program.goOn(there)}`).toBe(`${title}: ${await program.goOn(here)}`)
    })
  })
}

function comparable(lines: readonly string[]): readonly string[] {
  return lines.filter(line => !line.startsWith('["./own/'))
}
