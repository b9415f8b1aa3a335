import { loadLibc } from './libc.js'

/** What disks want of memory and of places in a file when the page cache is passed by. */
export const ALIGNMENT_BYTES = 4096

/** Memory in which a page begins `alignedAt` bytes behind its beginning, of unknown content. */
export function alignedMemory(sizeBytes: number, alignedAt = 0): Buffer {
  const memory = Buffer.allocUnsafeSlow(sizeBytes + ALIGNMENT_BYTES)
  const behindPage = (misalignment(memory) + alignedAt) % ALIGNMENT_BYTES
  const start = (ALIGNMENT_BYTES - behindPage) % ALIGNMENT_BYTES
  return memory.subarray(start, start + sizeBytes)
}

/** Whether memory begins where a page does. */
export function isAligned(memory: Uint8Array): boolean {
  return misalignment(memory) === 0
}

function misalignment(memory: Uint8Array): number {
  return Number(loadLibc().koffi.address(memory) % BigInt(ALIGNMENT_BYTES))
}
