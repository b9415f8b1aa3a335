import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/bucket/commands.js'
import { buildProgram } from '../../src/cli/bucket/program.js'
import { BucketCommand } from '../support/bucket-command.js'

describe('the table of commands', () => {
  it('has no name twice', () => {
    const names = COMMANDS.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]))
    expect(names).toEqual([...new Set(names)])
  })

  it.each(COMMANDS.map(row => [row.name, row] as const))('%s takes no flag of all commands again', async (_, row) => {
    const common = buildProgram(COMMANDS, () => {}).options.flatMap(({ long, short }) => [long, short])
    const command = new Command(row.name)
    const { describe: addTo } = await row.load()
    addTo(command)
    const own = command.options.flatMap(({ long, short }) => [long, short]).filter(flag => flag !== undefined)
    expect(own.filter(flag => common.includes(flag))).toEqual([])
  })
})

describe('the command line', () => {
  let bucket: BucketCommand
  beforeAll(async () => {
    bucket = await BucketCommand.onFolder()
  })
  afterAll(() => bucket.dispose())

  it('says its help and that of a command', async () => {
    const help = await bucket.output('--help')
    for (const { name, summary } of COMMANDS) {
      expect(help.replace(/\s+/g, ' ')).toContain(summary)
      const words = await Promise.all([bucket.output('help', name), bucket.output(name, '--help')])
      expect(words[0]).toBe(words[1])
      expect(words[0]).toContain(`Usage: bucket ${name}`)
    }
    expect(await bucket.output()).toBe(help)
    expect((await bucket.output('--version')).split('\n')[0]).toMatch(/^bucket \d+\.\d+\.\d+$/)
  })

  it.each([
    [['lsit'], 'bucket: command line: expected a command (perhaps list), found "lsit"'],
    [['info'], "bucket: info: expected known words, found missing required argument 'KEY'"],
    [
      ['list', '--mark', 'x'],
      "bucket: list: expected known words, found unknown option '--mark' (Did you mean --marker?)",
    ],
    [['list', '--max-keys', '0'], 'bucket: --max-keys: expected a whole number of at least 1, found "0"'],
    [
      ['list', '--part-size', '1'],
      'bucket: --part-size: expected a size such as 64M or 1GiB, from 5M to 1G, found "1"',
    ],
    [
      ['list', '-b', 'x'],
      'bucket: --bucket: expected s3://BUCKET or s3://BUCKET/PREFIX, file:///FOLDER, mem://NAME or mem://NAME/PREFIX, found "x"',
    ],
    [['list', '--use', 'none'], 'bucket: --use: expected a profile of a configuration file, found "none"'],
    [
      ['list', '--progress', 'no'],
      "bucket: command line: expected known words, found option '--progress <HOW>' argument 'no' is invalid. Allowed choices are auto, json, never.",
    ],
  ])('%j is refused in one line', async (words, line) => {
    const { exitCode, stdout, stderr } = await bucket.run(words)
    expect(stderr.split('\n')[0]).toBe(line)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  })
})

it('says all that it has to say to a reader that is slow', async () => {
  const bucket = await BucketCommand.onFolder()
  const names = Array.from({ length: 2000 }, (_, index) => `${'long-'.repeat(30)}${index}`)
  await Promise.all(names.map(name => writeFile(join(bucket.folder, '.store', name), '')))
  const script = `"${process.execPath}" "${BucketCommand.program}" list --all | (sleep 1; wc -l)`
  const { stdout } = await execa('/bin/sh', ['-c', script], { env: { ...bucket.environment } })
  expect(stdout.trim()).toBe('2000')
  const left = `"${process.execPath}" "${BucketCommand.program}" ls --all | head -n 1 >/dev/null; echo "\${PIPESTATUS[0]}"`
  const first = await execa('/bin/bash', ['-c', left], { env: { ...bucket.environment } })
  expect({ stdout: first.stdout, stderr: first.stderr }).toEqual({ stdout: '141', stderr: '' })
  await bucket.dispose()
})
