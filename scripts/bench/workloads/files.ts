import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compareStored, compareTree, differs, localDigests } from '../checks.js'
import { numbered } from '../programs/sequences.js'
import { timeShell } from '../timed-command.js'
import type { Stage, Workload } from '../workload.js'

const SMALL_BYTES = 16 * 1024
const TINY_BYTES = 8 * 1024

const inMount = (stage: Stage, name: string) => join(stage.mountPoint, name)

const catFiles: Workload = {
  name: 'cat',
  writes: false,
  title: scale => `cat of ${scale.many} files of 16 KiB in a folder`,
  measure: () => ({ kind: 'time' }),
  prepare: ({ endpoint, scale }) =>
    endpoint.fill({ key: 'small/file-######', count: scale.many, sizeBytes: SMALL_BYTES }),
  run: stage => timeShell(stage.limitMs, 'cat "$1"/* > /dev/null', inMount(stage, 'small')),
  check: stage => compareTree(stage, inMount(stage, 'small'), 'small/'),
}

const copyIn: Workload = {
  name: 'cp',
  writes: true,
  title: scale => `cp -r of ${scale.some} files of 8 KiB in, durable at close`,
  measure: () => ({ kind: 'time' }),
  prepare: async ({ folder, scale }) => {
    const source = join(folder, 'source')
    mkdirSync(source)
    for (let number = 0; number < scale.some; number++)
      writeFileSync(join(source, numbered('file-####', number)), String(number).padEnd(TINY_BYTES, `${number} `))
  },
  run: stage => timeShell(stage.limitMs, 'cp -r "$1" "$2"', join(stage.folder, 'source'), inMount(stage, 'copied')),
  check: async ({ endpoint, folder }) => compareStored(endpoint, await localDigests(join(folder, 'source')), 'copied/'),
}

const moveFolder: Workload = {
  name: 'mv',
  writes: true,
  title: scale => `mv of a folder with ${scale.some} files, durable`,
  measure: () => ({ kind: 'time' }),
  prepare: fillFolder,
  run: stage => timeShell(stage.limitMs, 'mv "$1" "$2"', inMount(stage, 'folder'), inMount(stage, 'moved')),
  check: async ({ endpoint, scale }) => {
    const left = (await endpoint.digests('folder/')).length
    const moved = (await endpoint.digests('moved/')).filter(({ sizeBytes }) => sizeBytes === TINY_BYTES).length
    return differs('objects left behind', left, 0) ?? differs('objects moved', moved, scale.some)
  },
}

const removeFolder: Workload = {
  name: 'rm',
  writes: true,
  title: scale => `rm -r of ${scale.some} files, durable`,
  measure: () => ({ kind: 'time' }),
  prepare: fillFolder,
  run: stage => timeShell(stage.limitMs, 'rm -r "$1"', inMount(stage, 'folder')),
  check: async ({ endpoint }) => differs('objects left', (await endpoint.digests('folder/')).length, 0),
}

function fillFolder({ endpoint, scale }: Stage): Promise<void> {
  return endpoint.fill({ key: 'folder/file-####', count: scale.some, sizeBytes: TINY_BYTES })
}

export const FILES: readonly Workload[] = [catFiles, copyIn, moveFolder, removeFolder]
