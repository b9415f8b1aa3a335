import { readFileSync } from 'node:fs'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { manPage } from '../../scripts/docs/man-page.js'
import { COMMANDS } from '../../src/cli/bucket/commands.js'
import { bucketModel } from '../../src/cli/bucket/model.js'
import { mountModel } from '../../src/cli/program.js'

const groff = await execa('groff', ['--version'], { reject: false })

describe.each([mountModel(), await bucketModel(COMMANDS)])('the man page of $name', program => {
  const url = new URL(`../../doc/man/${program.name}.1`, import.meta.url)

  it('is that of the command line (make it anew: node build/scripts/docs/main.js)', () => {
    expect(readFileSync(url, 'utf8')).toBe(manPage(program))
  })

  it.skipIf(groff.failed)('is set without a warning', async () => {
    const { stderr, stdout } = await execa('groff', ['-ww', '-man', '-Tutf8', '-Kutf8', '-P-cbou', url.pathname])
    expect(stderr).toBe('')
    for (const { names } of program.flags) expect(stdout).toContain(names.at(-1))
  })
})
