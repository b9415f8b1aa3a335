import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PosixContext } from '../posix/posix-context.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'

const mounts = mountsOfThisFile()
const PROGRAM = join(import.meta.dirname, '../exerciser/main.py')

/** tmpfs has no FALLOC_FL_ZERO_RANGE, and on older kernels no O_DIRECT. */
const NOT_ON_TMPFS = 'zero,direct'

/** The C code of fuse-native has no fallocate; libfuse 2 loses a file with its name. */
const NOT_ON_FUSE_NATIVE = ['allocate', 'punch', 'zero', 'orphans']

/** Walks in a folder; resolves with the name, size and SHA-256 of the file that it leaves. */
async function walk(folder: string, operations: number, seed: number, without: string): Promise<string> {
  const words = [PROGRAM, folder, '--operations', String(operations), '--seed', String(seed), '--without', without]
  const said = await new PosixContext(folder).run('/usr/bin/python3', ...words)
  process.stdout.write(said)
  return said.trimEnd().split('\n').at(-1) ?? ''
}

describe('the exerciser itself', () => {
  const memoryFolder = async () => {
    const folder = await mkdtemp('/dev/shm/mount-bucket-test-')
    onTestFinished(() => rm(folder, { recursive: true }))
    return folder
  }

  test('finds nothing on a local disk', async () => {
    await walk(await memoryFolder(), 2000, 1, NOT_ON_TMPFS)
  })

  test('notices a single wrong byte, and which operations show it', async () => {
    const folder = await memoryFolder()
    const words = ['--operations', '500', '--seed', '2', '--without', NOT_ON_TMPFS, '--spoil', '100', '--shrink']
    const outcome = await new PosixContext(folder).outcome('/usr/bin/python3', PROGRAM, folder, ...words)
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toMatch(/1 are wrong, the first at \d+/)
    expect(outcome.stderr).toMatch(/ operations show it: --seed 2 --without 'zero,direct' --only [\d,]*\b100\b/)
  })
})

/** What a file holds is the same before a mount ends and at the next one. */
describe.skipIf(!canMount())('the exerciser finds no difference', () => {
  async function exercise(operations: number, seed: number, without: readonly string[], ...flags: readonly string[]) {
    const settings = { url: `file://${await mounts.folder('store')}`, flags }
    const first = await mounts.start(settings)
    const left = await walk(first.mountPoint, operations, seed, without.join(','))
    expect(await first.unmount()).toBe(0)
    const second = await mounts.start(settings)
    const [name = '', size, sum] = left.split(' ')
    const found = await new PosixContext(second.mountPoint).sh(
      'stat -c %s "$1"; sha256sum "$1" | cut -d " " -f 1',
      name,
    )
    expect(found.trim().split('\n')).toEqual([size, sum])
    expect(await second.unmount()).toBe(0)
  }

  test('over the kernel transport', () => exercise(2500, 1, []))

  test('over the kernel transport, another walk', () => exercise(2500, 3, []))

  test('over the kernel transport with hardly any cache', () => {
    const flags = ['--metadata-ttl', '0', '--memory', '1M', '--block-size', '4K', '--part-size', '5M']
    return exercise(1000, 4, [], ...flags)
  })

  // What is written to a mapping can't be told there from what a handle with O_APPEND writes.
  test.for([
    ['mappings', 'append'],
    ['appends', 'mappings'],
  ] as const)('over fuse-native, with %s', ([, unwanted]) =>
    exercise(2500, 5, [...NOT_ON_FUSE_NATIVE, unwanted], '--transport', 'fuse-native'),
  )
})
