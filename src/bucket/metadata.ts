import { trustedDigest } from '../backend/content-digests.js'
import type { Metadata, ObjectHeaders, ObjectInfo, ObjectStore, WriteResult } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { BucketCallOptions } from './bucket-services.js'

export interface SetMetadataOptions extends BucketCallOptions {
  /** `merge` (default): what is not named stays. `replace`: it goes, but for the SHA-256 that `putFile` has stored. */
  readonly mode?: 'merge' | 'replace' | undefined
  /** Content headers that change; undefined ones stay. */
  readonly headers?: ObjectHeaders | undefined
  /** Content headers that are not given here go. */
  readonly resetHeaders?: boolean | undefined
}

/** Metadata to set; null takes a name away. */
export type MetadataChanges = Readonly<Record<string, string | null>>

/** How often the object is looked at anew when others replace it meanwhile. */
const MAX_TRIES = 5

/** Changes what is kept beside an object's bytes, on the server; storage class, tags and rights stay. */
export async function setMetadata(
  store: ObjectStore,
  key: string,
  changes: MetadataChanges,
  options: SetMetadataOptions = {},
): Promise<WriteResult> {
  const { signal } = options
  for (let tries = 1; ; tries++) {
    const info = await store.head(key, { signal })
    const traits = await store.traits(key, { listed: info, signal })
    const { sizeBytes, etag } = info
    const kept = options.resetHeaders === true ? {} : info.headers
    try {
      return await store.copy(key, key, {
        metadata: changed(info, changes, options.mode ?? 'merge'),
        headers: { ...kept, ...defined(options.headers ?? {}) },
        traits,
        sourceIfMatch: etag,
        ifMatch: etag,
        sizeBytes,
        signal,
      })
    } catch (error) {
      if (!isStoreError(error, 'precondition-failed') || tries >= MAX_TRIES) throw error
    }
  }
}

/** The checksum that is stored with an object, as metadata. */
export function digestOf({ metadata }: ObjectInfo): Metadata {
  const digest = trustedDigest(metadata)
  return digest === undefined ? {} : { [digest.name]: digest.hex }
}

function changed(info: ObjectInfo, changes: MetadataChanges, mode: 'merge' | 'replace'): Metadata {
  const kept = mode === 'merge' ? info.metadata : digestOf(info)
  const lower = Object.entries(changes).map(([name, value]) => [name.toLowerCase(), value] as const)
  const all = Object.entries({ ...kept, ...Object.fromEntries(lower) })
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null))
}

function defined(headers: ObjectHeaders): ObjectHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
}
