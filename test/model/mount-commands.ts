import fc from 'fast-check'
import type { StoreOperation } from '../../src/backend/layers/store-operation.js'
import { ATTRIBUTE_COMMANDS, UNDOABLE_ATTRIBUTE_COMMANDS } from './attribute-commands.js'
import { Command, StoreIsDown } from './command.js'
import { closeHandle, FILE_COMMANDS, UNDOABLE_FILE_COMMANDS } from './file-commands.js'
import { NAME_COMMANDS } from './name-commands.js'
import { unheardSync } from './unheard.js'

const wait = fc.constantFrom(1, 1000, 11_000).map(
  ms =>
    new Command(`wait ${ms} ms`, async (_model, world) => {
      world.tick(ms)
    }),
)

const remount = fc.constant(
  new Command('remount', async (model, world) => {
    for (const handle of [...world.handles]) await closeHandle(handle, model, world)
    await world.unmount()
    model.remount()
    await world.mount()
  }),
)

const crash = fc.constant(
  new Command('crash', async (model, world) => {
    await world.crash()
    model.remount()
  }),
)

/** All but the beginning of an upload: one whose id was lost stays in the store until it is aborted later. */
const OPERATIONS: readonly StoreOperation[] = [
  'head',
  'list',
  'get',
  'put',
  'copy',
  'delete',
  'part',
  'copyPart',
  'complete',
]

/** One answer of the store is lost, or one request: nobody may notice. */
const hiccup = fc
  .tuple(
    fc.constantFrom(...OPERATIONS),
    fc.constantFrom('before' as const, 'after' as const),
    fc.constantFrom(1, 1, 2, 3),
    fc.oneof(...FILE_COMMANDS, ...NAME_COMMANDS, ...ATTRIBUTE_COMMANDS),
  )
  .map(
    ([operation, when, nth, inner]) =>
      new Command(`fail ${when} ${operation} ${nth} during ${inner}`, async (model, world) => {
        world.faults.add({ fault: { kind: 'unavailable', when }, operations: [operation], nth })
        await inner.step(model, world)
        world.faults.clear()
      }),
  )

/** Nothing reaches the store while a program makes a call: it fails and has changed nothing, or needs no store. */
const outage = fc.oneof(...UNDOABLE_FILE_COMMANDS, ...NAME_COMMANDS, ...UNDOABLE_ATTRIBUTE_COMMANDS).map(
  inner =>
    new Command(`outage during ${inner}`, async (model, world) => {
      world.faults.add({ fault: { kind: 'unavailable' } })
      try {
        await inner.step(model, world)
      } catch (error) {
        if (!(error instanceof StoreIsDown)) throw error
      } finally {
        world.faults.clear()
      }
    }),
)

export const MOUNT_COMMANDS = [unheardSync, unheardSync, wait, remount, crash, hiccup, hiccup, hiccup, outage, outage]
