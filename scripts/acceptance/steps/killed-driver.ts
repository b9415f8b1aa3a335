import { randomBytes } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { run } from '../program.js'
import type { Site } from '../site.js'
import { expectEqual, expectText, type Step } from '../step.js'

const KEY = 'victim'
const OLD_BYTES = 12_000_000

/** More than a part, and less than what the writer would go on to write. */
const NEW_BYTES = 40_000_000

export const KILLED_DRIVER: Step = { title: 'kill -9 of the driver in the middle of an upload', run: survive }

async function survive(site: Site): Promise<string> {
  const { bucket } = site.settings
  const folder = site.folder('killed')
  const [oldFile, newFile, found] = ['old', 'new', 'found'].map(name => join(folder, name)) as [string, string, string]
  await writeFile(oldFile, randomBytes(OLD_BYTES))
  await writeFile(newFile, randomBytes(NEW_BYTES))
  const mountPoint = site.folder('mnt')
  const stateDir = site.folder('state')
  const first = await site.mountAt(mountPoint, stateDir)
  await run(['cp', oldFile, first.path(KEY)])

  // Over fuse-native every FLUSH commits, and cp closes nothing before its end.
  // Over fuse-native every FLUSH commits, and cp closes nothing before its end. Behind cat its input is a pipe.
  const writer = execa('sh', ['-c', 'cat | cp /dev/stdin "$1"', 'sh', first.path(KEY)], {
    reject: false,
    env: { LC_ALL: 'C' },
  })
  writer.stdin.on('error', () => {}) // cp may end before it has read all; its exit code tells.
  writer.stdin.write(await readFile(newFile))
  while ((await bucket.arrivedParts(KEY)) === 0) {
    if (writer.exitCode !== null)
      throw new Error('the writer ended before any part had arrived', { cause: await writer })
    await sleep(20)
  }
  await first.kill()
  writer.stdin.end()
  const { exitCode, stderr } = await writer
  expectEqual('the exit code of the writer', exitCode, 1)
  expectText('the writer', stderr, 'not connected')

  await bucket.download(KEY, found)
  await run(['cmp', oldFile, found])
  const second = await site.mountAt(mountPoint, stateDir)
  await run(['cmp', oldFile, second.path(KEY)])
  expectText('the log', second.log(), 'a mount whose driver is gone was cleaned away')
  const keptBytes = await compareKept(second.log(), newFile)
  await run(['cp', newFile, second.path(KEY)])
  await bucket.download(KEY, found)
  await run(['cmp', newFile, found])
  await run(['rm', second.path(KEY)])
  expectEqual('the exit code of the driver', await second.unmount(), 0)
  return `the bucket has the old version; ${keptBytes} bytes of the new one are kept; mounted again`
}

/** The log names what had arrived, which is the beginning of what was written. */
async function compareKept(log: string, written: string): Promise<number> {
  const [, keptAt] = /an earlier driver ended before this was stored.* keptAt="([^"]+)"/.exec(log) ?? []
  if (keptAt === undefined) throw new Error(`no kept bytes are named in the log: ${log.slice(-1000)}`)
  const { size } = await stat(keptAt)
  if (size === 0) throw new Error('nothing is kept')
  await run(['cmp', '-n', String(size), keptAt, written])
  return size
}
