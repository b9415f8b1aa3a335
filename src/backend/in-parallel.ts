import PQueue from 'p-queue'
import { onAbort } from './call.js'
import type { Signal } from './call-signal.js'

/** Runs `task` for every item, `width` at once. The first failure ends it, and is thrown once all under way have ended. */
export async function inParallel<T>(
  items: AsyncIterable<T>,
  width: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const queue = new PQueue({ concurrency: width })
  const failures: unknown[] = []
  const run = async (item: T) => {
    if (failures.length === 0) await task(item)
  }
  try {
    for await (const item of items) {
      queue.add(() => run(item)).catch((error: unknown) => failures.push(error))
      // One item waits at the most: those that come are not gathered in memory.
      await queue.onSizeLessThan(2)
      if (failures.length > 0) break
    }
  } finally {
    await queue.onIdle()
  }
  if (failures.length > 0) throw failures[0]
}

/** As `inParallel`; the first failure, or the caller's signal, also ends what else is under way. */
export async function allOrNone<T>(
  items: AsyncIterable<T>,
  width: number,
  signal: Signal | undefined,
  task: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const given = new AbortController()
  const forget = onAbort(signal, () => given.abort(signal?.reason))
  const run = async (item: T) => {
    try {
      await task(item, given.signal)
    } catch (error) {
      given.abort(error)
      throw error
    }
  }
  try {
    await inParallel(items, width, run)
  } finally {
    forget()
  }
}
