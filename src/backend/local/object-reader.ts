import { throwIfAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import { closableBody } from '../closable-body.js'
import type { ByteRange, ReadSink } from '../object-store.js'
import { StoreError } from '../store-error.js'
import { identityOf } from './attributes.js'
import { toStoreError } from './local-errors.js'
import type { OpenedObject } from './object-files.js'

const CHUNK_BYTES = 256 * 1024

/** The bytes of an opened object; closes its file when they have ended. */
export function bodyOf(
  object: OpenedObject,
  range: ByteRange,
  key: string,
  signal: Signal | undefined,
): AsyncIterable<Uint8Array> {
  let isOpen = true
  const close = async () => {
    if (!isOpen) return
    isOpen = false
    await object.file.close()
  }
  async function* bytes() {
    try {
      for (let done = 0; done < range.lengthBytes; ) {
        throwIfAborted(signal, 'get', key)
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, range.lengthBytes - done))
        const bytesRead = await readInto(object, chunk, range.offset + done, key)
        done += bytesRead
        if (done === range.lengthBytes) await checkUnchanged(object, key)
        yield chunk.subarray(0, bytesRead)
      }
    } catch (error) {
      throw toStoreError(error, 'get', key)
    } finally {
      await close()
    }
  }
  return closableBody(bytes(), close, signal)
}

/** Reads straight into the memory of a sink. */
export async function fillFrom(
  object: OpenedObject,
  range: ByteRange,
  sink: ReadSink,
  key: string,
  signal: Signal | undefined,
): Promise<void> {
  for (let done = 0; done < range.lengthBytes; ) {
    throwIfAborted(signal, 'get', key)
    const free = sink.free()
    const wanted = free.subarray(0, Math.min(free.byteLength, range.lengthBytes - done))
    const bytesRead = await readInto(object, wanted, range.offset + done, key)
    done += bytesRead
    if (done === range.lengthBytes) await checkUnchanged(object, key)
    sink.advance(bytesRead)
  }
}

async function readInto(object: OpenedObject, target: Uint8Array, position: number, key: string): Promise<number> {
  const { bytesRead } = await object.file.read(target, 0, target.byteLength, position)
  if (bytesRead === 0) throw changed(key)
  return bytesRead
}

/** A file that the store wrote is only ever replaced; another program may have written into it. */
async function checkUnchanged(object: OpenedObject, key: string): Promise<void> {
  if (identityOf(await object.file.stat({ bigint: true })) !== identityOf(object.stats)) throw changed(key)
}

function changed(key: string): StoreError {
  return new StoreError('precondition-failed', 'get: another program changed the file while it was read', {
    key,
    operation: 'get',
  })
}
