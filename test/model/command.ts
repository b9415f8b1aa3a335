import assert from 'node:assert/strict'
import fc from 'fast-check'
import { S_IFREG } from '../../src/fs/attributes.js'
import type { Attributes } from '../../src/fs/operations.js'
import type { Outcome } from './driver.js'
import type { Reference } from './reference.js'
import { keyOf } from './reference.js'
import type { KeptAttributes, ReferenceFile } from './reference-file.js'
import type { OpenHandle, World } from './world.js'

export type Step = (model: Reference, world: World) => Promise<void>

/** How many commands ran in all. */
export const counted = { commands: 0 }

/** One command. Names and arguments show in a counterexample. */
export class Command implements fc.AsyncCommand<Reference, World> {
  readonly #text: string
  readonly step: Step

  constructor(text: string, step: Step) {
    this.#text = text
    this.step = step
  }

  check(): boolean {
    return true
  }

  async run(model: Reference, world: World): Promise<void> {
    counted.commands += 1
    await this.step(model, world)
    // Times tell which change they are of.
    world.tick(1)
    world.check(model)
  }

  toString(): string {
    return this.#text
  }
}

export const PATHS = ['a', 'b', 'c', 'd/a', 'd/b', 'd/e/a'] as const
export const FOLDERS = ['d', 'd/e', 'a'] as const
export const path = fc.constantFrom(...PATHS)
export const folder = fc.constantFrom(...FOLDERS)
export const anyPath = fc.oneof(path, path, folder, fc.constantFrom('a/b', 'a/\u241bo', 'd/\u241bo'))
export const pick = fc.nat(7)
export const size = fc.oneof(fc.nat(30), fc.nat(3000))
export const offset = fc.oneof(fc.constant(0), fc.nat(64), fc.nat(5000))

export const DEFAULTS: KeptAttributes = {
  mode: S_IFREG | 0o644,
  uid: 1000,
  gid: 1000,
  rdev: 0,
  mtimes: [],
  xattrs: new Map(),
}

/** A call had to ask the store and got no answer. */
export class StoreIsDown extends Error {
  constructor() {
    super('unexpected EIO')
  }
}

export function succeeds<T>(outcome: Outcome<T>): T {
  checkUp(outcome)
  if ('errno' in outcome) throw new Error(`unexpected ${outcome.errno}`)
  return outcome.value
}

/** True if the call has to fail, after having seen that it did. */
export function failsWith(outcome: Outcome<unknown>, errno: string | undefined): boolean {
  checkUp(outcome)
  if (errno !== undefined) assert.deepEqual('errno' in outcome ? outcome : { ...outcome, succeeded: true }, { errno })
  return errno !== undefined
}

function checkUp(outcome: Outcome<unknown>): void {
  if ('errno' in outcome && outcome.errno === 'EIO') throw new StoreIsDown()
}

/** What is written has to be in the store, or to be refused for the right reason. True if it is stored. */
export function expectStored(model: Reference, file: ReferenceFile, outcome: Outcome<unknown>): boolean {
  const errno = model.commitError(file)
  if (failsWith(outcome, errno)) return false
  // Others changed an object of which bytes were to be copied: perhaps these are here already.
  if ((file.isRisky || file.isDetached) && file.borrowed.size > 0 && 'errno' in outcome) {
    assert.equal(outcome.errno, 'ESTALE')
    return false
  }
  succeeds(outcome)
  model.commit(file)
  return true
}

/** A command on one of the open handles. */
export function onHandle<T>(
  name: string,
  drawn: fc.Arbitrary<T>,
  step: (handle: OpenHandle, value: T, model: Reference, world: World) => Promise<void>,
): fc.Arbitrary<Command> {
  return fc.tuple(pick, drawn).map(
    ([index, value]) =>
      new Command(`${name} handle ${index} ${JSON.stringify(value)}`, async (model, world) => {
        const handle = world.handles[index % Math.max(1, world.handles.length)]
        if (handle !== undefined) await step(handle, value, model, world)
      }),
  )
}

/** What stat(2) tells of a file has to be what was done to it. */
export function expectAttributes(file: ReferenceFile, shown: Attributes, world: World): void {
  const { kept } = file
  const stored = world.bucket.get(keyOf(file.path))
  const mayForget =
    !file.isDirty && (world.isForgetful || (file.version?.isOutside === true && !world.shape.asksAllAttributes))
  const { mode, uid, gid, rdev, sizeBytes, nlink } = shown
  const told = { mode, uid, gid, rdev, sizeBytes, nlink }
  const sure = {
    mode: kept.mode,
    uid: kept.uid,
    gid: kept.gid,
    rdev: kept.rdev,
    sizeBytes: file.content.length,
    nlink: 1,
  }
  const unsure = { ...sure, mode: DEFAULTS.mode, uid: DEFAULTS.uid, gid: DEFAULTS.gid }
  if (!mayForget || told.mode !== unsure.mode) assert.deepEqual(told, sure)
  else assert.equal(sizeBytes, file.content.length)
  // Whoever forgets has only the store's times, which move with every copy.
  if (world.isForgetful) return
  const times = kept.mtimes.map(({ seconds, nanoseconds }) => `${seconds}.${nanoseconds}`)
  if (mayForget && stored !== undefined)
    times.push(`${Math.floor(stored.lastModifiedMs / 1000)}.${(stored.lastModifiedMs % 1000) * 1e6}`)
  assert(
    times.includes(`${shown.mtime.seconds}.${shown.mtime.nanoseconds}`),
    `mtime ${JSON.stringify(shown.mtime)}, not ${times}`,
  )
}
