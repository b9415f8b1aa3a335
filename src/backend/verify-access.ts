import { randomUUID } from 'node:crypto'
import type { CallOptions, ObjectStore } from './object-store.js'
import { isStoreError, StoreError } from './store-error.js'

export interface VerifyOptions extends CallOptions {
  /** Whether it must be possible to write. */
  readonly write: boolean
}

/**
 * Finds out before anything is mounted whether a store can be reached, read and, if asked for, written. Rejects with the
 * kind of what stands in the way and a message that names the option to change. Leaves nothing behind: an upload is begun
 * and dropped, for that shows the right to write without an object.
 */
export async function verifyAccess(store: ObjectStore, options: VerifyOptions): Promise<void> {
  const call: CallOptions = { signal: options.signal, priority: options.priority }
  try {
    await store.list({ ...call, limit: 1 })
  } catch (error) {
    throw explained(error, `${store.url} can't be read`, hintFor(error, store.url))
  }
  if (!options.write) return
  try {
    const upload = await store.createUpload(`.mount-bucket-check-${randomUUID()}`, call)
    await upload.abort(call)
  } catch (error) {
    const denied = isStoreError(error, 'denied', 'unsupported')
    const hint = denied ? 'use --read-only, or credentials that may write' : hintFor(error, store.url)
    throw explained(error, `${store.url} can't be written`, hint)
  }
}

function explained(error: unknown, what: string, hint: string): unknown {
  if (!isStoreError(error) || error.kind === 'aborted') return error
  return new StoreError(error.kind, `${what}: ${hint} (${error.message})`, {
    cause: error,
    retryable: error.retryable,
    ...(error.operation !== undefined && { operation: error.operation }),
    ...(error.code !== undefined && { code: error.code }),
  })
}

function hintFor(error: unknown, url: string): string {
  if (!isStoreError(error)) return 'an unexpected error'
  if (!url.startsWith('s3:')) return error.kind === 'denied' ? 'check the permissions of the folder' : 'check the URL'
  switch (error.kind) {
    case 'denied':
      return 'check the credentials: --profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --no-sign-request'
    case 'unavailable':
      return error.code === 'NoSuchBucket'
        ? 'there is no such bucket: check its name, --endpoint and --region'
        : 'check the network and --endpoint'
    case 'invalid':
      return 'check the name of the bucket and --region'
    default:
      return 'the store does not answer as it should: check --endpoint'
  }
}
