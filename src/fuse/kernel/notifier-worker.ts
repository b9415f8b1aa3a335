/** The thread that writes notifications: a write waits while the kernel holds what it concerns, which may take long. */
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { retrievalUnique } from '../protocol/notifications.js'
import type { NotifierData, WrittenBatch } from './notifier.js'

const { descriptor } = workerData as NotifierData

/** ENOENT: the kernel does not know the node or name (any more). ENODEV: it is unmounted. */
const USUAL: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV'])

parentPort?.on('message', (batch: readonly Uint8Array[]) => {
  const failures: string[] = []
  const unanswered: number[] = []
  for (const bytes of batch) {
    const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const code = write(message)
    if (code === undefined) continue
    if (!USUAL.has(code)) failures.push(code)
    const unique = retrievalUnique(message)
    if (unique !== undefined) unanswered.push(unique)
  }
  const written: WrittenBatch = { failures, unanswered }
  parentPort?.postMessage(written)
})

/** The errno of a notification that failed. */
function write(message: Buffer): string | undefined {
  try {
    writeSync(descriptor, message)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}
