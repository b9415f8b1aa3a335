import type { Socket } from 'node:net'
import type { RequestBody } from './exchange.js'

/** So much goes out with one system call, and counts as progress when it has. */
const GROUP_BYTES = 256 * 1024

/** A body up to this size is copied behind its head: that takes less than the work for a list of pieces. */
const COPIED_BYTES = 32 * 1024

/** Head and body as one piece, where the body lies in memory and is small. */
export function smallMessage(head: string, { pieces, sizeBytes }: RequestBody): Buffer | undefined {
  if (sizeBytes > COPIED_BYTES || !Array.isArray(pieces)) return undefined
  const message = Buffer.allocUnsafe(head.length + sizeBytes)
  let at = message.write(head, 'latin1')
  for (const piece of pieces as readonly Uint8Array[]) {
    message.set(piece, at)
    at += piece.byteLength
  }
  return message
}

/**
 * Writes the head of a request and its body, without a copy: a piece is in use until the next one is asked for, the last
 * ones until the promise settles. Rejects with what the socket or the source of the body failed with.
 */
export async function sendBody(socket: Socket, head: string, body: RequestBody): Promise<void> {
  // What a source makes as it goes is sent as it comes.
  const groupBytes = Symbol.asyncIterator in body.pieces ? 1 : GROUP_BYTES
  let group: Uint8Array[] = [Buffer.from(head, 'latin1')]
  let fullBytes = 0
  for await (const piece of body.pieces)
    for (let at = 0; at < piece.byteLength; ) {
      const part = piece.subarray(at, at + GROUP_BYTES)
      group.push(part)
      at += part.byteLength
      fullBytes += part.byteLength
      if (fullBytes < groupBytes) continue
      await write(socket, group)
      body.onSent?.(fullBytes)
      group = []
      fullBytes = 0
    }
  if (group.length > 0) await write(socket, group)
  body.onSent?.(fullBytes)
}

/** Resolves when the kernel has taken all of it. */
function write(socket: Socket, pieces: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const last = pieces.length - 1
    const done = (error?: Error | null) => (error ? reject(error) : resolve())
    socket.cork()
    for (const [n, piece] of pieces.entries()) n === last ? socket.write(piece, done) : socket.write(piece)
    socket.uncork()
  })
}
