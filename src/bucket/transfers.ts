import { throwIfAborted } from '../backend/call.js'
import { inParallel } from '../backend/in-parallel.js'
import { isStoreError, type StoreError } from '../backend/store-error.js'

/** What became of many things of which each may fail by itself. */
export interface TransferSummary {
  /** How many went well. */
  readonly objects: number
  /** Of those. */
  readonly sizeBytes: number
  readonly failures: readonly TransferFailure[]
}

export interface TransferFailure {
  /** The key, or the path of a local file. */
  readonly name: string
  readonly error: StoreError
}

/** So many failures end the whole: what is wrong with all need not be told for each. */
const MAX_FAILURES = 1000

/** Does `task` for every item, several at once. A failure of one is noted and does not end the others; that of the list does. */
export async function transferEach<T extends { readonly name: string }>(
  items: AsyncIterable<T>,
  atOnce: number,
  signal: AbortSignal | undefined,
  task: (item: T) => Promise<{ readonly sizeBytes: number }>,
): Promise<TransferSummary> {
  const failures: TransferFailure[] = []
  let [objects, sizeBytes] = [0, 0]
  await inParallel(items, atOnce, async item => {
    throwIfAborted(signal, 'transfer', item.name)
    try {
      const done = await task(item)
      sizeBytes += done.sizeBytes
      objects += 1
    } catch (error) {
      if (!isStoreError(error) || error.kind === 'aborted' || failures.length >= MAX_FAILURES) throw error
      failures.push({ name: item.name, error })
    }
  })
  return { objects, sizeBytes, failures }
}
