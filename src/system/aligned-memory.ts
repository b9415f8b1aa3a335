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

/** The first so many bytes of `memory` that begin where a page does; it has `ALIGNMENT_BYTES` more. */
export function alignedView(memory: SharedArrayBuffer, sizeBytes: number): Uint8Array<SharedArrayBuffer> {
  const behindPage = misalignment(new Uint8Array(memory))
  return new Uint8Array(memory, (ALIGNMENT_BYTES - behindPage) % ALIGNMENT_BYTES, sizeBytes)
}

/** Whether memory begins where a page does. */
export function isAligned(memory: Uint8Array): boolean {
  return misalignment(memory) === 0
}

function misalignment(memory: Uint8Array): number {
  return Number(loadLibc().koffi.address(memory) % BigInt(ALIGNMENT_BYTES))
}
