import { modelOf, type ProgramModel } from '../command-model.js'
import type { CommandRow } from './command.js'
import { buildProgram } from './program.js'

/** The whole command line of `bucket`: loads every command. */
export async function bucketModel(rows: readonly CommandRow[]): Promise<ProgramModel> {
  const program = buildProgram(rows, () => {})
  for (const row of rows) {
    const part = program.commands.find(each => each.name() === row.name)
    if (part !== undefined) (await row.load()).describe(part)
  }
  return modelOf(program)
}
