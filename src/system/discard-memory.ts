import { loadLibc } from './libc.js'

const MADV_DONTNEED = 4
const PAGE_BYTES = 4096

/**
 * Gives the pages that lie wholly in `memory` back to the system (Linux): what they held is zeros afterwards, and they
 * take no room until they are written again. False: the system does not want them.
 */
export function discardMemory(memory: Uint8Array): boolean {
  const { koffi, libc } = loadLibc()
  const call = libc.func('int madvise(void *, size_t, int)')
  const address = koffi.address(memory)
  const start = roundUp(address)
  const end = roundUp(address + BigInt(memory.byteLength) - BigInt(PAGE_BYTES - 1))
  return end <= start || call(start, end - start, MADV_DONTNEED) === 0
}

function roundUp(address: bigint): bigint {
  const page = BigInt(PAGE_BYTES)
  return ((address + page - 1n) / page) * page
}
