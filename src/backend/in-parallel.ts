import PQueue from 'p-queue'

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
