import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../program.js'
import type { Site } from '../site.js'
import { expectEqual, formatSeconds, type Step, timed } from '../step.js'

const FILES_A_FOLDER = 100
const MOST_BYTES = 8192

export const SMALL_FILES: Step = { title: 'small files: cp -r, tar, ls -lR, rm -r', run: carryAround }

async function carryAround(site: Site): Promise<string> {
  const { files } = site.settings
  const mount = await site.mount()
  const folder = site.folder('small')
  await make(join(folder, 'small'), files)
  const copied = await timed(() => run(['cp', '-r', join(folder, 'small'), mount.path()]))
  // tar does not read what it writes to /dev/null.
  const archive = join(folder, 'small.tar')
  const archived = await timed(() => run(['tar', '-cf', archive, '-C', mount.path(), 'small']))
  const unpacked = join(folder, 'unpacked')
  await mkdir(unpacked)
  await run(['tar', '-xf', archive, '-C', unpacked])
  await run(['diff', '-r', join(folder, 'small'), join(unpacked, 'small')])
  const listed = await timed(() => run(['ls', '-lR', mount.path('small')]))
  const lines = listed.value.split('\n').filter(line => line.startsWith('-'))
  expectEqual('files that ls shows', lines.length, files)
  const removed = await timed(() => run(['rm', '-r', mount.path('small')]))
  expectEqual('what rm left', await run(['find', mount.path(), '-path', '*small*']), '')
  return [
    `${files} files`,
    `cp ${formatSeconds(copied.seconds)}`,
    `tar ${formatSeconds(archived.seconds)}`,
    `ls ${formatSeconds(listed.seconds)}`,
    `rm ${formatSeconds(removed.seconds)}`,
  ].join(', ')
}

/** Files of up to 8 KiB, some of them empty, a hundred to a folder. */
async function make(folder: string, files: number): Promise<void> {
  const bytes = randomBytes(2 * MOST_BYTES)
  for (let i = 0; i < files; i++) {
    const parent = join(folder, `folder ${Math.floor(i / FILES_A_FOLDER)}`)
    if (i % FILES_A_FOLDER === 0) await mkdir(parent, { recursive: true })
    const sizeBytes = (i * 997) % (MOST_BYTES + 1)
    await writeFile(join(parent, `file-${i}.bin`), bytes.subarray(i % MOST_BYTES, (i % MOST_BYTES) + sizeBytes))
  }
}
