/** The thread of one sweep: it asks the disk about every file, which may take long. */
import { parentPort, workerData } from 'node:worker_threads'
import { type SweepRequest, sweep } from './sweep.js'

parentPort?.postMessage(sweep(workerData as SweepRequest))
