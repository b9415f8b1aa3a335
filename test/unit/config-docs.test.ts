import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { configurationText, type Source, withOptionTable } from '../../scripts/docs/reference.js'
import { expectationOf } from '../../src/config/check.js'
import { OPTION_GROUPS } from '../../src/config/option.js'
import * as table from '../../src/config/option-table.js'

const source: Source = { table, groups: OPTION_GROUPS, expectationOf }
const root = new URL('../../', import.meta.url)

describe('generated texts are those of the option table (make them anew: node build/scripts/docs/main.js)', () => {
  it('doc/CONFIGURATION.md', () => {
    expect(readFileSync(new URL('doc/CONFIGURATION.md', root), 'utf8')).toBe(configurationText(source))
  })

  it('the table of the README', () => {
    const readme = readFileSync(new URL('README.md', root), 'utf8')
    expect(readme).toBe(withOptionTable(readme, source))
  })
})

it('every option is in a group that is shown, and its help is no whole sentence', () => {
  for (const name of table.OPTION_NAMES) {
    const option = table.OPTIONS[name]
    expect(OPTION_GROUPS).toContain(option.group)
    expect(option.help, name).toMatch(/^[^A-Z].*[^.]$/)
    expect(option.value.type === 'switch' ? option.default : (option.default ?? option.defaultNote), name).toBeTruthy()
  }
})
