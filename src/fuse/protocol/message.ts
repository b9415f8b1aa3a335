/**
 * A request of the kernel: its bytes, and its numbers. Until code has run for long, a DataView reads numbers several
 * times as fast as the methods of Buffer do.
 */
export interface Message {
  readonly bytes: Buffer
  readonly numbers: DataView
}

export function messageOf(bytes: Buffer): Message {
  return { bytes, numbers: numbersOf(bytes) }
}

export function numbersOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
