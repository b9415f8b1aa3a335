/** The thread that writes the disk cache. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Log, LogFields } from '../../backend/log.js'
import { SYSTEM_TIMERS } from '../../backend/timers.js'
import { SYSTEM_CLOCK } from '../clock.js'
import { CacheFolder } from './cache-folder.js'
import { DiskWriter } from './disk-writer.js'
import { Room } from './room.js'
import { sealOf } from './seal.js'
import { SegmentFiles } from './segment-files.js'
import { sweepInThread } from './sweeper.js'
import type { PieceToWrite, WriterAnswer, WriterThreadData } from './writer-thread.js'

const { place, store, maxBytes, keepFree } = workerData as WriterThreadData

function answer(message: WriterAnswer): void {
  parentPort?.postMessage(message)
}

function teller(level: keyof Log) {
  return (message: string, fields?: LogFields) => answer({ level, message, fields })
}

const log: Log = { error: teller('error'), warn: teller('warn'), info: teller('info'), debug: teller('debug') }

const folder = CacheFolder.at(place)
const writer = new DiskWriter({
  store,
  files: new SegmentFiles(folder, SYSTEM_CLOCK, log, true),
  room: new Room({
    folder: folder.path,
    maxBytes,
    keepFree,
    sweep: () => sweepInThread({ place, maxBytes, keepFree, nowMs: SYSTEM_CLOCK.nowMs() }),
    timers: SYSTEM_TIMERS,
    log,
  }),
  // Bounded by who hands it over.
  maxWaitingBytes: Number.POSITIVE_INFINITY,
  timers: SYSTEM_TIMERS,
  log,
})

parentPort?.on('message', ({ number, version, offset, bytes, seal }: PieceToWrite) => {
  if (seal === 'make') {
    answer({ number, outcome: sealOf(offset, bytes) })
    return
  }
  const writing =
    seal === undefined ? writer.write(version, offset, bytes) : writer.recall(version, offset, bytes, seal)
  void writing.then(outcome => answer({ number, outcome }))
})
