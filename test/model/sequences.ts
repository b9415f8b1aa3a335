import assert from 'node:assert/strict'
import fc from 'fast-check'
import { S_IFREG } from '../../src/fs/attributes.js'
import { ATTRIBUTE_COMMANDS } from './attribute-commands.js'
import { counted, expectAttributes, succeeds } from './command.js'
import { closeHandle, FILE_COMMANDS } from './file-commands.js'
import { MOUNT_COMMANDS } from './mount-commands.js'
import { NAME_COMMANDS } from './name-commands.js'
import { OUTSIDE_COMMANDS } from './outside-commands.js'
import { Reference } from './reference.js'
import { type Shape, World } from './world.js'

const shapes: fc.Arbitrary<Shape> = fc.record({
  metadataTtlMs: fc.constantFrom(0, 10_000),
  asksAllAttributes: fc.boolean(),
  knownEntries: fc.constantFrom(1000, 1000, 2),
  metadataEntries: fc.constantFrom(1000, 4),
  kernelForgets: fc.boolean(),
})

const COMMANDS = [...FILE_COMMANDS, ...NAME_COMMANDS, ...ATTRIBUTE_COMMANDS, ...OUTSIDE_COMMANDS, ...MOUNT_COMMANDS]

export interface ModelRun {
  readonly runs: number
  readonly seed: number
  /** As a failure says it: only that sequence, which is then shortened anew. */
  readonly path?: string | undefined
}

/**
 * Runs sequences of commands until one shows a difference, and then the shortest such that can be found. Resolves with
 * how many commands there were.
 */
export async function runSequences({ runs, seed, path }: ModelRun): Promise<number> {
  // What follows the number of the sequence is of use only with what `fc.commands` notes besides.
  const [index] = path?.split(':') ?? []
  await fc.assert(
    fc.asyncProperty(fc.commands(COMMANDS, { maxCommands: 40, size: '+1' }), shapes, async (commands, shape) => {
      const world = await World.open(shape)
      try {
        const model = new Reference()
        await fc.asyncModelRun(() => ({ model, real: world }), commands)
        await expectEnd(model, world)
      } finally {
        await world.end()
      }
    }),
    { numRuns: runs, seed, ...(index !== undefined && { path: index }), endOnFailure: false },
  )
  return counted.commands
}

/** Everything is closed: the bucket, and what the next mount shows, is what was done. */
async function expectEnd(model: Reference, world: World): Promise<void> {
  for (const handle of [...world.handles]) await closeHandle(handle, model, world)
  world.check(model)
  await world.unmount()
  await world.checkTidy(model)
  model.remount()
  await world.mount()
  for (const at of model.folders.keys())
    assert.deepEqual([...succeeds(await world.driver.list(at, false))].sort(), model.names(at))
  for (const [at, file] of model.files) {
    expectAttributes(file, succeeds(await world.driver.stat(at)).attributes, world)
    if (file.type === S_IFREG) assert((await world.h.readFile(at)).equals(file.content), `${at} reads differently`)
  }
  await world.unmount()
}
