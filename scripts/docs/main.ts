/** Makes doc/CONFIGURATION.md, the README's option table and the man pages anew from what was built into dist/. */
import { readFileSync, writeFileSync } from 'node:fs'
import { manPage } from './man-page.js'
import { configurationText, type Source, withOptionTable } from './reference.js'

const root = new URL('../../../', import.meta.url)

function load<Module>(path: string): Promise<Module> {
  return import(new URL(path, root).href)
}

const table = await load<typeof import('../../src/config/option-table.js')>('dist/config/option-table.js')
const { OPTION_GROUPS } = await load<typeof import('../../src/config/option.js')>('dist/config/option.js')
const { expectationOf } = await load<typeof import('../../src/config/check.js')>('dist/config/check.js')
const source: Source = { table, groups: OPTION_GROUPS, expectationOf }

writeFileSync(new URL('doc/CONFIGURATION.md', root), configurationText(source))
const readme = new URL('README.md', root)
writeFileSync(readme, withOptionTable(readFileSync(readme, 'utf8'), source))

const { COMMANDS } = await load<typeof import('../../src/cli/bucket/commands.js')>('dist/cli/bucket/commands.js')
const { bucketModel } = await load<typeof import('../../src/cli/bucket/model.js')>('dist/cli/bucket/model.js')
const { mountModel } = await load<typeof import('../../src/cli/program.js')>('dist/cli/program.js')
for (const program of [mountModel(), await bucketModel(COMMANDS)])
  writeFileSync(new URL(`doc/man/${program.name}.1`, root), manPage(program))
