import { crc32 } from 'node:zlib'
import type { Seal } from '../block-tier.js'
import { CELL_BYTES } from './segment-format.js'

/** `offset` is where a cell begins. */
export function sealOf(offset: number, bytes: Uint8Array): Seal {
  const sums = new Uint32Array(Math.ceil(bytes.length / CELL_BYTES))
  for (let cell = 0; cell < sums.length; cell++) sums[cell] = sumOf(bytes, cell)
  return { offset, sums }
}

/** How many of `bytes`, from the front, are those that were sealed at `offset`, in whole cells. */
export function sealedBytes({ offset: start, sums }: Seal, offset: number, bytes: Uint8Array): number {
  const first = (offset - start) / CELL_BYTES
  let cell = 0
  while (cell * CELL_BYTES < bytes.length && sumOf(bytes, cell) === sums[first + cell]) cell++
  return Math.min(cell * CELL_BYTES, bytes.length)
}

function sumOf(bytes: Uint8Array, cell: number): number {
  return crc32(bytes.subarray(cell * CELL_BYTES, (cell + 1) * CELL_BYTES))
}
