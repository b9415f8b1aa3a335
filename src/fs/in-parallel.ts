/** Runs `task` for every item, `width` at once. The first failure ends it, and is thrown once all under way have ended. */
export async function inParallel<T>(
  items: AsyncIterable<T>,
  width: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]()
  let hasFailed = false
  const work = async () => {
    try {
      while (!hasFailed) {
        const step = await iterator.next()
        if (step.done === true) return
        await task(step.value)
      }
    } catch (error) {
      hasFailed = true
      throw error
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: width }, work))
  await iterator.return?.()
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason
}
