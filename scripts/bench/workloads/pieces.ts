import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { compareStored, differs } from '../checks.js'
import { offsets } from '../programs/sequences.js'
import { runProgram } from '../timed-command.js'
import type { Stage, Workload } from '../workload.js'

const PIECE_BYTES = 4096
const KEY = 'large'

interface Report {
  readonly seconds: number
  /** Of what was read. */
  readonly crc32: number
}

const fileOf = (stage: Stage) => join(stage.mountPoint, KEY)

function firstByte(): Workload {
  let seen = 0
  return {
    name: 'first-byte',
    writes: false,
    title: () => 'first byte of that object',
    measure: () => ({ kind: 'each', count: 1 }),
    prepare: ({ endpoint, scale }) => endpoint.fill({ key: KEY, sizeBytes: scale.largeBytes }),
    run: async stage => {
      const report = await runProgram<Report>(stage.limitMs, 'first-byte', fileOf(stage))
      seen = report.crc32
      return report.seconds
    },
    check: async ({ endpoint }) => differs('the first byte', seen, crc32(await endpoint.read(KEY, 0, 1))),
  }
}

function randomReads(atOnce: number): Workload {
  let seen = 0
  const isOne = atOnce === 1
  return {
    name: isOne ? 'random' : `random-${atOnce}`,
    writes: false,
    title: scale =>
      `${scale.reads} random reads of 4 KiB in it, ${isOne ? 'one at a time' : `${atOnce} at once`} (each)`,
    measure: scale => ({ kind: 'each', count: scale.reads }),
    prepare: ({ endpoint, scale }) => endpoint.fill({ key: KEY, sizeBytes: scale.largeBytes }),
    run: async stage => {
      const { largeBytes, reads } = stage.scale
      const words = [largeBytes, reads, PIECE_BYTES, atOnce].map(String)
      const report = await runProgram<Report>(stage.limitMs, 'read-at', fileOf(stage), ...words)
      seen = report.crc32
      return report.seconds
    },
    check: async ({ endpoint, scale }) => {
      let expected = 0
      for (const offset of offsets(scale.largeBytes, scale.reads, PIECE_BYTES))
        expected = crc32(await endpoint.read(KEY, offset, PIECE_BYTES), expected)
      return differs('the pieces', seen, expected)
    },
  }
}

function edit(): Workload {
  let expected = 0
  const offsetOf = (stage: Stage) => Math.floor(stage.scale.editedBytes / PIECE_BYTES / 2) * PIECE_BYTES + PIECE_BYTES
  return {
    name: 'edit',
    writes: true,
    title: scale => `edit of 4 KiB in ${scale.editedBytes / 1024 ** 2} MiB, fsync`,
    measure: () => ({ kind: 'time' }),
    prepare: async stage => {
      const { endpoint, scale } = stage
      await endpoint.fill({ key: KEY, sizeBytes: scale.editedBytes })
      const bytes = await endpoint.read(KEY)
      bytes.fill('edit', offsetOf(stage), offsetOf(stage) + PIECE_BYTES)
      expected = crc32(bytes)
    },
    run: async stage => {
      const words = [String(offsetOf(stage)), String(PIECE_BYTES)]
      return (await runProgram<Report>(stage.limitMs, 'edit', fileOf(stage), ...words)).seconds
    },
    check: ({ endpoint, scale }) =>
      compareStored(endpoint, [{ path: KEY, sizeBytes: scale.editedBytes, crc32: expected }], ''),
  }
}

export const PIECES: readonly Workload[] = [firstByte(), randomReads(1), randomReads(16), edit()]
