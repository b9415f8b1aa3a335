import { loadLibc } from './libc.js'

const MADV_DONTNEED = 4
const PAGE_BYTES = 4096n

type Madvise = (address: bigint, sizeBytes: bigint, advice: number) => number

/** Looked up at the first call: it is made for every block that is given up. */
let madvise: Madvise | undefined

/**
 * Gives the pages that lie wholly in `memory` back to the system (Linux): what they held is zeros afterwards, and they
 * take no room until they are written again. False: the system does not want them.
 */
export function discardMemory(memory: Uint8Array): boolean {
  const { koffi, libc } = loadLibc()
  madvise ??= libc.func('int madvise(void *, size_t, int)') as Madvise
  const address = koffi.address(memory)
  const start = roundUp(address)
  const end = roundUp(address + BigInt(memory.byteLength) - PAGE_BYTES + 1n)
  return end <= start || madvise(start, end - start, MADV_DONTNEED) === 0
}

function roundUp(address: bigint): bigint {
  return ((address + PAGE_BYTES - 1n) / PAGE_BYTES) * PAGE_BYTES
}
