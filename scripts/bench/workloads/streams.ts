import { join } from 'node:path'
import { compareStored, compareTree } from '../checks.js'
import { runProgram, timeShell } from '../timed-command.js'
import type { Scale, Stage, Workload } from '../workload.js'

const READ = 'dd if="$1" of=/dev/null bs=1M status=none'
const READERS = 4

const mebibytes = (bytes: number) => (bytes >= 1024 ** 3 ? `${bytes / 1024 ** 3} GiB` : `${bytes / 1024 ** 2} MiB`)

const large = (stage: Stage) => join(stage.mountPoint, 'large')

function fillLarge({ endpoint, scale }: Stage): Promise<void> {
  return endpoint.fill({ key: 'large', sizeBytes: scale.largeBytes })
}

const readWorkload: Workload = {
  name: 'read',
  writes: false,
  title: scale => `sequential read of ${mebibytes(scale.largeBytes)}, cold`,
  measure: scale => ({ kind: 'rate', bytes: scale.largeBytes }),
  prepare: fillLarge,
  run: stage => timeShell(stage.limitMs, READ, large(stage)),
  check: stage => compareTree(stage, large(stage), 'large'),
}

const readAgain: Workload = {
  ...readWorkload,
  name: 'read-again',
  title: () => 'the same again, after reopening',
  warm: async stage => {
    await timeShell(stage.limitMs, READ, large(stage))
  },
}

const readParallel: Workload = {
  name: 'read-parallel',
  writes: false,
  title: scale => `${READERS} readers of ${READERS} objects of ${mebibytes(parallelBytes(scale))}, cold`,
  measure: scale => ({ kind: 'rate', bytes: READERS * parallelBytes(scale) }),
  prepare: ({ endpoint, scale }) =>
    endpoint.fill({ key: 'parallel/#', count: READERS, sizeBytes: parallelBytes(scale) }),
  run: stage =>
    timeShell(
      stage.limitMs,
      'for f in "$1"/*; do dd if="$f" of=/dev/null bs=1M status=none & p="$p $!"; done; for p in $p; do wait $p || exit 1; done',
      join(stage.mountPoint, 'parallel'),
    ),
  check: stage => compareTree(stage, join(stage.mountPoint, 'parallel'), 'parallel/'),
}

function parallelBytes(scale: Scale): number {
  return scale.largeBytes / READERS
}

function write(): Workload {
  let crc32 = 0
  return {
    name: 'write',
    writes: true,
    title: scale => `sequential write of ${mebibytes(scale.largeBytes)}, durable at close`,
    measure: scale => ({ kind: 'rate', bytes: scale.largeBytes }),
    prepare: async () => {},
    run: async stage => {
      const words = ['write', join(stage.mountPoint, 'written'), String(stage.scale.largeBytes)]
      const report = await runProgram<{ readonly seconds: number; readonly crc32: number }>(stage.limitMs, ...words)
      crc32 = report.crc32
      return report.seconds
    },
    check: ({ endpoint, scale }) =>
      compareStored(endpoint, [{ path: 'written', sizeBytes: scale.largeBytes, crc32 }], ''),
  }
}

export const STREAMS: readonly Workload[] = [readWorkload, readAgain, readParallel, write()]
