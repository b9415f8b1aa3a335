import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compareTree, differs } from '../checks.js'
import { numbered } from '../programs/sequences.js'
import { runProgram, timeShell } from '../timed-command.js'
import type { Stage, Workload } from '../workload.js'

const SMALL_BYTES = 1024
const STATS = 500

const inMount = (stage: Stage, name: string) => join(stage.mountPoint, name)
const outputOf = (stage: Stage) => join(stage.folder, 'listed')

function lines(stage: Stage): readonly string[] {
  return readFileSync(outputOf(stage), 'utf8').split('\n').slice(0, -1)
}

async function fillTree({ endpoint, scale }: Stage): Promise<void> {
  for (let folder = 0; folder < scale.folders; folder++) {
    const key = `tree/${numbered('folder-###', folder)}/file-###`
    await endpoint.fill({ key, count: scale.folders, sizeBytes: SMALL_BYTES, seed: folder + 1 })
  }
}

function fillLarge({ endpoint, scale }: Stage): Promise<void> {
  return endpoint.fill({ key: 'many/file-#####', count: scale.large, sizeBytes: SMALL_BYTES })
}

const tar: Workload = {
  name: 'tar',
  writes: false,
  title: scale => `tar out of a tree of ${scale.folders} folders of ${scale.folders} files of 1 KiB`,
  measure: () => ({ kind: 'time' }),
  prepare: fillTree,
  // tar reads nothing when its output is /dev/null.
  run: stage => timeShell(stage.limitMs, 'tar cf - -C "$1" tree | wc -c > /dev/null', stage.mountPoint),
  check: stage => compareTree(stage, inMount(stage, 'tree'), 'tree/'),
}

const find: Workload = {
  name: 'find',
  writes: false,
  title: scale => `find over ${scale.folders} folders of ${scale.folders} files`,
  measure: () => ({ kind: 'time' }),
  prepare: fillTree,
  run: stage => timeShell(stage.limitMs, 'find "$1" -type f > "$2"', inMount(stage, 'tree'), outputOf(stage)),
  check: async stage => differs('files found', new Set(lines(stage)).size, stage.scale.folders ** 2),
}

const list: Workload = {
  name: 'ls-l',
  writes: false,
  title: scale => `ls -l of ${scale.large} files`,
  measure: () => ({ kind: 'time' }),
  prepare: fillLarge,
  run: stage => timeShell(stage.limitMs, 'ls -l "$1" > "$2"', inMount(stage, 'many'), outputOf(stage)),
  check: async stage => {
    const right = new RegExp(` ${SMALL_BYTES} .* file-\\d{5}$`)
    return differs('files listed', lines(stage).filter(line => right.test(line)).length, stage.scale.large)
  },
}

const listHuge: Workload = {
  name: 'ls-huge',
  writes: false,
  title: scale => `ls of ${scale.huge} files`,
  measure: () => ({ kind: 'time' }),
  prepare: ({ endpoint, scale }) => endpoint.fill({ key: 'huge/file-######', count: scale.huge, sizeBytes: 100 }),
  run: stage => timeShell(stage.limitMs, 'ls "$1" > "$2"', inMount(stage, 'huge'), outputOf(stage)),
  check: async stage => differs('names listed', new Set(lines(stage)).size, stage.scale.huge),
}

function statNames(): Workload {
  let sizeBytes = 0
  const countOf = (stage: Stage) => Math.min(STATS, stage.scale.large)
  return {
    name: 'stat',
    writes: false,
    title: scale => `stat of ${Math.min(STATS, scale.large)} names in a folder of ${scale.large}, cold`,
    measure: () => ({ kind: 'time' }),
    prepare: fillLarge,
    run: async stage => {
      const count = countOf(stage)
      const words = ['file-#####', String(count), String(Math.floor(stage.scale.large / count))]
      const report = await runProgram<{ readonly seconds: number; readonly sizeBytes: number }>(
        stage.limitMs,
        'stat',
        inMount(stage, 'many'),
        ...words,
      )
      sizeBytes = report.sizeBytes
      return report.seconds
    },
    check: async stage => differs('bytes in all', sizeBytes, countOf(stage) * SMALL_BYTES),
  }
}

const statCold = statNames()

const statListed: Workload = {
  ...statCold,
  name: 'stat-listed',
  title: () => 'the same, just listed',
  warm: async stage => {
    await timeShell(stage.limitMs, 'ls -l "$1" > /dev/null', inMount(stage, 'many'))
  },
}

const idle: Workload = {
  name: 'idle',
  writes: false,
  title: () => 'nothing but df, for the memory',
  measure: () => ({ kind: 'time' }),
  prepare: async () => {},
  run: stage => timeShell(stage.limitMs, 'df "$1" > "$2"', stage.mountPoint, outputOf(stage)),
  check: async stage => differs('lines of df', lines(stage).length, 2),
}

export const TREES: readonly Workload[] = [idle, tar, list, listHuge, find, statCold, statListed]
