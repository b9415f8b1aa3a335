import { throwIfAborted } from './call.js'
import type { Signal } from './call-signal.js'
import type { Body } from './object-store.js'
import { isStoreError, StoreError } from './store-error.js'

export function bodySizeBytes(body: Body): number {
  return body instanceof Uint8Array ? body.byteLength : body.sizeBytes
}

/**
 * The bytes of a body from its beginning. Throws `invalid` when a source gives more or fewer bytes than it declares,
 * `aborted` between two chunks, and a source's own failure as `unavailable` that no retry repairs.
 */
export async function* readBody(
  body: Body,
  operation: string,
  key: string,
  signal?: Signal,
): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) {
    if (body.byteLength > 0) yield body
    return
  }
  let seenBytes = 0
  for await (const chunk of body.inMemory ?? guarded(body.open(), operation, key)) {
    throwIfAborted(signal, operation, key)
    seenBytes += chunk.byteLength
    if (seenBytes > body.sizeBytes) break
    if (body.inMemory !== undefined) body.onSent?.()
    if (chunk.byteLength > 0) yield chunk
  }
  if (seenBytes !== body.sizeBytes)
    throw new StoreError('invalid', `the body of ${operation} is not ${body.sizeBytes} bytes long as declared`, {
      key,
      operation,
    })
}

/** The whole body in memory of its own. */
export async function collectBody(body: Body, operation: string, key: string, signal?: Signal): Promise<Uint8Array> {
  const all = new Uint8Array(bodySizeBytes(body))
  let filledBytes = 0
  for await (const chunk of readBody(body, operation, key, signal)) {
    all.set(chunk, filledBytes)
    filledBytes += chunk.byteLength
  }
  return all
}

async function* guarded(source: AsyncIterable<Uint8Array>, operation: string, key: string): AsyncGenerator<Uint8Array> {
  try {
    yield* source
  } catch (error) {
    if (isStoreError(error)) throw error
    throw new StoreError('unavailable', `the body of ${operation} could not be read`, {
      cause: error,
      key,
      operation,
      retryable: false,
    })
  }
}
