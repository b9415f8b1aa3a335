import { onAbort, throwIfAborted } from './call.js'
import type { Signal } from './call-signal.js'
import type { CallOptions, CompletedPart, Upload, WriteConditions, WriteResult } from './object-store.js'

/** How long an end in order waits for a store that does not answer. */
const LAST_ANSWER_MS = 8000

/**
 * Begins an upload by `create`. When the caller's signal fires meanwhile the answer is still waited for, if not for ever:
 * else the store would keep an upload that nobody knows. Who gets it has to look at the signal.
 */
export function beginUpload(
  key: string,
  signal: Signal | undefined,
  create: (signal: AbortSignal) => Promise<Upload>,
): Promise<Upload> {
  return answered('createUpload', key, signal, create)
}

/**
 * Completes an upload. When the caller's signal fires meanwhile the answer is still waited for, if not for ever: else nobody
 * would know whether the object is stored.
 */
export function completeUpload(
  upload: Upload,
  parts: readonly CompletedPart[],
  options: CallOptions & WriteConditions,
): Promise<WriteResult> {
  return answered('complete', upload.key, options.signal, signal => upload.complete(parts, { ...options, signal }))
}

async function answered<T>(
  operation: string,
  key: string,
  signal: Signal | undefined,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal, operation, key)
  const given = new AbortController()
  const forget = onAbort(signal, () => setTimeout(() => given.abort(signal?.reason), LAST_ANSWER_MS).unref())
  try {
    return await ask(given.signal)
  } finally {
    forget()
  }
}

/** False where it is perhaps still there. Never rejects: the failure that led here is what counts. */
export async function dropUpload(upload: Upload): Promise<boolean> {
  return upload.abort({ signal: AbortSignal.timeout(LAST_ANSWER_MS) }).then(
    () => true,
    () => false,
  )
}
