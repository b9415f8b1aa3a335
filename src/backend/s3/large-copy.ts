import type { CallOptions, CompletedPart, CopyOptions, ObjectInfo, Upload, WriteResult } from '../object-store.js'
import { isStoreError } from '../store-error.js'
import { MULTIPART_LIMITS } from './limits.js'

const PARTS_AT_ONCE = 4
/** Small enough that a part is done well within a timeout, large enough for few requests. */
const COPY_PART_BYTES = 512 * 1024 ** 2

/** Copies on the server what one CopyObject is not allowed to. A failure drops the upload. */
export async function copyByParts(
  source: ObjectInfo,
  upload: Upload,
  conditions: Pick<CopyOptions, 'ifMatch' | 'ifNoneMatch'>,
  options: CallOptions,
): Promise<WriteResult> {
  const partBytes = Math.max(COPY_PART_BYTES, Math.ceil(source.sizeBytes / MULTIPART_LIMITS.maxParts))
  const count = Math.ceil(source.sizeBytes / partBytes)
  const parts: CompletedPart[] = []
  const numbers = Array.from({ length: count }, (_, index) => index + 1).values()
  const worker = async () => {
    for (const number of numbers) {
      const offset = (number - 1) * partBytes
      const range = { offset, lengthBytes: Math.min(partBytes, source.sizeBytes - offset) }
      const part = { key: source.key, range, sourceIfMatch: source.etag }
      parts.push(await upload.copyPart(number, part, options))
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, worker))
    return await upload.complete(parts, { ...options, ...conditions })
  } catch (error) {
    // A completion in doubt may have been carried out, or may still be; its upload is left to what clears leftovers.
    if (!isStoreError(error) || !error.ambiguous || error.operation !== 'complete') await upload.abort()
    throw error
  }
}
