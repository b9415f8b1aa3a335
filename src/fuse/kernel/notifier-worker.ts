/** The thread that writes notifications: a write waits while the kernel holds what it concerns, which may take long. */
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { NotifierData, WrittenBatch } from './notifier.js'

const { descriptor } = workerData as NotifierData

parentPort?.on('message', (batch: readonly Uint8Array[]) => {
  const failures: string[] = []
  for (const message of batch) {
    const code = write(message)
    if (code !== undefined) failures.push(code)
  }
  const written: WrittenBatch = { failures }
  parentPort?.postMessage(written)
})

/** The errno of a notification that failed and should not have. */
function write(message: Uint8Array): string | undefined {
  try {
    writeSync(descriptor, message)
    return undefined
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    // ENOENT: the kernel does not know the node or name (any more). ENODEV: it is unmounted.
    return code === 'ENOENT' || code === 'ENODEV' ? undefined : code
  }
}
