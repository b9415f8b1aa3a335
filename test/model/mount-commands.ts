import fc from 'fast-check'
import { Command } from './command.js'
import { closeHandle } from './file-commands.js'

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

export const MOUNT_COMMANDS = [wait, remount]
