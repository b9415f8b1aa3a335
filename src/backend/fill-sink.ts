import type { ReadSink } from './object-store.js'

/** Copies bytes into a sink, over as many of its free parts as they need. */
export function fillSink(sink: ReadSink, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength; ) {
    const free = sink.free()
    const piece = bytes.subarray(done, done + free.byteLength)
    free.set(piece)
    sink.advance(piece.byteLength)
    done += piece.byteLength
  }
}
