import { allOrNone } from '../in-parallel.js'
import type { CallOptions, CompletedPart, CopyOptions, ObjectInfo, Upload, WriteResult } from '../object-store.js'
import { isStoreError } from '../store-error.js'
import { completeUpload, dropUpload } from '../upload-ends.js'
import { MULTIPART_LIMITS } from './limits.js'

const PARTS_AT_ONCE = 4
/** Small enough that a part is done well within a timeout, large enough for few requests. */
const COPY_PART_BYTES = 512 * 1024 ** 2

export interface LargeCopyOptions extends CallOptions, Pick<CopyOptions, 'ifMatch' | 'ifNoneMatch'> {
  /** At the least. */
  readonly partBytes?: number
}

/**
 * Copies on the server what one CopyObject is not allowed to. The first failure, or the caller's signal, ends the other parts and
 * drops the upload; a completion that is under way is waited for.
 */
export async function copyByParts(source: ObjectInfo, upload: Upload, options: LargeCopyOptions): Promise<WriteResult> {
  const { signal, priority, ifMatch, ifNoneMatch, partBytes: leastBytes = COPY_PART_BYTES } = options
  const partBytes = Math.max(leastBytes, Math.ceil(source.sizeBytes / MULTIPART_LIMITS.maxParts))
  const parts: CompletedPart[] = []
  const copyPart = async (number: number, given: AbortSignal) => {
    const offset = (number - 1) * partBytes
    const range = { offset, lengthBytes: Math.min(partBytes, source.sizeBytes - offset) }
    const part = { key: source.key, range, sourceIfMatch: source.etag }
    parts.push(await upload.copyPart(number, part, { signal: given, priority }))
  }
  try {
    await allOrNone(numbersTo(Math.ceil(source.sizeBytes / partBytes)), PARTS_AT_ONCE, signal, copyPart)
    return await completeUpload(upload, parts, { signal, priority, ifMatch, ifNoneMatch })
  } catch (error) {
    // A completion in doubt may have been carried out, or may still be; its upload is left to what clears leftovers.
    if (!isStoreError(error) || !error.ambiguous || error.operation !== 'complete') await dropUpload(upload)
    throw error
  }
}

async function* numbersTo(last: number): AsyncGenerator<number> {
  for (let number = 1; number <= last; number++) yield number
}
