import { Worker } from 'node:worker_threads'
import type { SweepRequest, SweepResult } from './sweep.js'

/** Sweeps in a thread of its own. Rejects with what the disk says. */
export function sweepInThread(request: SweepRequest): Promise<SweepResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./sweep-worker.js', import.meta.url), { workerData: request })
    worker.unref()
    worker.once('message', (result: SweepResult) => resolve(result))
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread that sweeps the disk cache ended')))
  })
}
