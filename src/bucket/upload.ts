import { allOrNone } from '../backend/in-parallel.js'
import type {
  Attachments,
  Body,
  CompletedPart,
  ObjectStore,
  Upload,
  WriteConditions,
  WriteResult,
} from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import { beginUpload, completeUpload, dropUpload } from '../backend/upload-ends.js'
import type { Tally } from './progress.js'

export interface UploadOptions extends WriteConditions {
  readonly attachments: Attachments
  readonly partsAtOnce: number
  readonly tally: Tally
  readonly signal: AbortSignal | undefined
  /** Told of each body that is stored and needed no more. */
  readonly onStored?: (body: Body) => void
  /** Runs when all bytes are there, before the object appears. */
  readonly beforeComplete?: () => Promise<void>
}

/**
 * Stores an object by parts, several at once: it appears with the last of them or not at all. `partsAtOnce` and two more
 * are asked of `bodies` at the most. After a failure the parts are dropped.
 */
export async function uploadParts(
  store: ObjectStore,
  key: string,
  bodies: AsyncIterable<Body>,
  options: UploadOptions,
): Promise<WriteResult> {
  const { attachments, tally, signal, ifMatch, ifNoneMatch } = options
  const upload = await beginUpload(key, signal, given => store.createUpload(key, { ...attachments, signal: given }))
  const parts: CompletedPart[] = []
  try {
    await allOrNone(numbered(bodies), options.partsAtOnce, signal, async ([number, body], given) => {
      parts.push(await sendPart(upload, number, body, tally, given))
      options.onStored?.(body)
    })
    await options.beforeComplete?.()
    return await completeUpload(upload, parts, { signal, ifMatch, ifNoneMatch })
  } catch (error) {
    // A completion in doubt may have been carried out, or may still be; its upload is left to what clears leftovers.
    if (!isStoreError(error) || !error.ambiguous || error.operation !== 'complete') await dropUpload(upload)
    throw error
  }
}

/** A body that tells how far it is. */
export function countedBody(body: Body, at: (bytes: number) => void): Body {
  if (body instanceof Uint8Array) return body
  return {
    sizeBytes: body.sizeBytes,
    inMemory: body.inMemory,
    onSent: () => body.onSent?.(),
    async *open() {
      let bytes = 0
      for await (const chunk of body.open()) {
        yield chunk
        bytes += chunk.byteLength
        at(bytes)
      }
    },
  }
}

async function sendPart(
  upload: Upload,
  number: number,
  body: Body,
  tally: Tally,
  signal: AbortSignal,
): Promise<CompletedPart> {
  const piece = tally.piece()
  const part = await upload.part(number, countedBody(body, piece.at), { signal })
  piece.settle(part.sizeBytes)
  return part
}

async function* numbered<T>(items: AsyncIterable<T>): AsyncGenerator<readonly [number, T]> {
  let number = 1
  for await (const item of items) yield [number++, item]
}
