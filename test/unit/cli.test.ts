import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { StoreError } from '../../src/backend/store-error.js'
import { parseArguments } from '../../src/cli/arguments.js'
import { failureOf } from '../../src/cli/failure.js'
import { versionLines } from '../../src/cli/version.js'
import { OPTION_NAMES, OPTIONS } from '../../src/config/option-table.js'
import { MountError } from '../../src/fuse/mount-error.js'
import { temporaryFolder } from '../support/configuration.js'
import { built } from '../support/servers.js'

const PROGRAM = join(import.meta.dirname, '../../dist/cli/mount-bucket.js')

function mountBucket(...words: readonly string[]) {
  return execa(process.execPath, [PROGRAM, ...words], { reject: false, stdin: 'ignore' })
}

describe('grammar', () => {
  it.each([
    [['/mnt'], 'mount'],
    [['unmount', '/mnt'], 'unmount'],
    [['--state-dir', '/s', 'unmount', '/mnt'], 'unmount'],
    [['./unmount'], 'mount'],
    [['/mnt', 'unmount'], 'mount'],
    [['--version'], 'version'],
    [['-V'], 'version'],
    [['--help'], 'help'],
    [['unmount', '-h'], 'help'],
    [['help'], 'help'],
  ])('%j asks for %s', (words, command) => {
    expect(parseArguments(words).command).toBe(command)
  })

  it('takes flags before, between and behind the places', () => {
    const invocation = parseArguments(['-f', 's3://b', '--part-size', '8M', '/mnt', '-o', 'ro', '-oallow_other'])
    if (invocation.command !== 'mount') throw new Error(invocation.command)
    expect([...invocation.line.values].map(([name, { text }]) => [name, text])).toEqual([
      ['partSize', '8M'],
      ['foreground', 'true'],
      ['url', 's3://b'],
      ['mountPoint', '/mnt'],
    ])
    expect(invocation.line).toMatchObject({ mountOptions: ['ro', 'allow_other'], faults: [] })
  })

  it('tells every fault of unmount', () => {
    const invocation = parseArguments(['unmount', '--lasy', '--state-dir'])
    if (invocation.command !== 'unmount') throw new Error(invocation.command)
    expect(invocation.line.faults.map(fault => `${fault.place}: ${fault.found}`)).toEqual([
      'command line: --lasy',
      '--state-dir: none',
      'unmount: none',
    ])
  })
})

describe('exit codes', () => {
  it.each([
    [new StoreError('denied', 'no'), 4, 'no'],
    [new StoreError('unavailable', 'no'), 5, 'no'],
    [new StoreError('unavailable', 'no such bucket', { code: 'NoSuchBucket' }), 3, 'no such bucket'],
    [new StoreError('not-found', 'no'), 3, 'no'],
    [new StoreError('throttled', 'no'), 5, 'no'],
    [new StoreError('invalid', 'no'), 2, 'no'],
    [new StoreError('corrupt', 'no'), 1, 'no'],
    [new MountError('missing', 'it does not exist'), 6, 'it does not exist'],
    [new TypeError('a bug'), 1, 'a bug'],
    ['thrown text', 1, 'thrown text'],
  ])('of %s is %i', (error, exitCode, line) => {
    const failure = failureOf(error)
    expect(failure.exitCode).toBe(exitCode)
    expect(failure.lines).toEqual([line])
  })
})

it('says one line about Node 20 in --version, and nothing about later ones', () => {
  expect(versionLines('v20.19.0')).toHaveLength(2)
  expect(versionLines('v22.1.0')).toEqual([expect.stringMatching(/^mount-bucket \d+\.\d+\.\d+$/)])
})

describe('the program', () => {
  beforeAll(built, 120_000)

  it('says its version', async () => {
    const { exitCode, stdout, stderr } = await mountBucket('--version')
    expect(stdout).toMatch(/^mount-bucket \d+\.\d+\.\d+/)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  })

  it('shows every option in its help', async () => {
    const { exitCode, stdout } = await mountBucket('--help')
    expect(exitCode).toBe(0)
    const lines = stdout.split('\n')
    for (const name of OPTION_NAMES) {
      if (OPTIONS[name].positional || OPTIONS[name].isSecret) continue
      const flag = name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
      expect(
        lines.filter(line => new RegExp(`^  (-\\w, )?--(no-)?${flag} `).test(line)),
        name,
      ).toHaveLength(1)
    }
    expect(stdout).toContain('mount-bucket unmount /mnt')
    expect(stdout).toContain('Exit codes:')
  })

  it.each([['--foreground'], ['--no-foreground']])(
    'tells all faults of a command line and ends with 2 (%s)',
    async flag => {
      const { exitCode, stdout, stderr } = await mountBucket(
        flag,
        's3://b',
        '/mnt',
        '--bogus',
        '--allow-other',
        '--allow-root',
      )
      expect(stdout).toBe('')
      expect(stderr.split('\n')).toEqual([
        'mount-bucket: command line: expected a known flag, found --bogus',
        'mount-bucket: --allow-other and --allow-root: expected only one of the two (--allow-other includes root), found both',
        'mount-bucket: mount-bucket --help tells more',
      ])
      expect(exitCode).toBe(2)
    },
  )

  it('ends with 2 when a configuration file is no YAML', async () => {
    const config = join(temporaryFolder(), 'config.yaml')
    writeFileSync(config, 'region: [\n')
    chmodSync(config, 0o600)
    const { exitCode, stderr } = await mountBucket('--config', config, 'mem://x', '/mnt')
    expect(stderr).toMatch(new RegExp(`^mount-bucket: ${config}:\\d: expected YAML, found `))
    expect(exitCode).toBe(2)
  })

  it('ends with 6 when there is nothing to unmount', async () => {
    const folder = temporaryFolder()
    const { exitCode, stderr } = await mountBucket('unmount', folder)
    expect({ exitCode, stderr }).toEqual({ exitCode: 6, stderr: `mount-bucket: nothing is mounted at ${folder}` })
    expect((await mountBucket('unmount', '/proc')).stderr).toContain('is no bucket of ours but proc')
  })
})
