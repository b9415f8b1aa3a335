/** A data thread: it receives bytes into memory that it shares with the main thread, and answers reads from there. */
import { parentPort } from 'node:worker_threads'
import type { FillerModule } from '../../backend/filling-threads.js'
import type { AnswererModule } from './answering-threads.js'
import type { ThreadMessage, ThreadReport } from './thread-messages.js'
import { ThreadWork } from './thread-work.js'

/** What nobody waits for is told after so long. */
const LATER_MS = 25

const work = new ThreadWork({
  loadFiller: async (program, settings) => ((await import(program)) as FillerModule).openFiller(settings),
  loadAnswerer: async (program, settings) => ((await import(program)) as AnswererModule).openAnswerer(settings),
  tell: (report: ThreadReport) => parentPort?.postMessage(report),
  soon: run => setImmediate(run),
  later: run => setTimeout(run, LATER_MS),
})

// What fails here ends the thread, which whoever started it hears.
parentPort?.on('message', (message: ThreadMessage) => void work.take(message))
