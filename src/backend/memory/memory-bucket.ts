import { compareKeys } from '../keys.js'
import { commonPrefixOf, listQuery, PageBuilder } from '../listing.js'
import type {
  ListOptions,
  ListPage,
  Metadata,
  ObjectHeaders,
  ObjectInfo,
  ObjectTraits,
  ObjectVersion,
} from '../object-store.js'
import type { CannedAcl } from '../powers.js'
import { SortedKeys } from './sorted-keys.js'

/** An object that is never changed, only replaced. */
export interface StoredObject {
  readonly bytes: Uint8Array
  readonly etag: string
  readonly lastModifiedMs: number
  readonly metadata: Metadata
  readonly headers: ObjectHeaders
  readonly traits: ObjectTraits
}

export interface StoredPart {
  readonly bytes: Uint8Array
  readonly etag: string
}

export interface StoredUpload {
  readonly key: string
  readonly startedMs: number
  readonly metadata: Metadata
  readonly headers: ObjectHeaders
  readonly traits: ObjectTraits
  readonly parts: Map<number, StoredPart>
}

/** The content of one bucket in memory. Every method is synchronous, so that each change is atomic. */
export class MemoryBucket {
  readonly uploads = new Map<string, StoredUpload>()
  acl: CannedAcl = 'private'
  /** Undefined: no CDN is enabled. */
  cdnBase: string | undefined
  readonly #objects = new Map<string, StoredObject>()
  readonly #keys = new SortedKeys()

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key)
  }

  set(key: string, object: StoredObject): void {
    if (!this.#objects.has(key)) this.#keys.add(key)
    this.#objects.set(key, object)
  }

  delete(key: string): void {
    if (this.#objects.delete(key)) this.#keys.delete(key)
  }

  get isEmpty(): boolean {
    return this.#objects.size === 0
  }

  list(options: ListOptions): ListPage {
    const query = listQuery(options)
    const page = new PageBuilder(query)
    let reached = (key: string) => compareKeys(key, query.after) > 0 && compareKeys(key, query.prefix) >= 0
    for (;;) {
      const rolledUp = this.#fill(page, query, reached)
      if (rolledUp === undefined) return page.page()
      reached = key => compareKeys(key, rolledUp) > 0 && !key.startsWith(rolledUp)
    }
  }

  /** Adds items until the page is full or done (undefined), or up to a common prefix, behind whose keys to go on. */
  #fill(page: PageBuilder, query: ReturnType<typeof listQuery>, reached: (key: string) => boolean): string | undefined {
    for (const key of this.#keys.from(reached)) {
      if (!key.startsWith(query.prefix)) return undefined
      const commonPrefix = commonPrefixOf(key, query)
      if (commonPrefix !== undefined) return page.add({ commonPrefix }) ? commonPrefix : undefined
      const object = this.#objects.get(key)
      if (object !== undefined && !page.add(versionOf(key, object))) return undefined
    }
    return undefined
  }
}

function versionOf(key: string, object: StoredObject): ObjectVersion {
  const { bytes, etag, lastModifiedMs, traits } = object
  return {
    key,
    sizeBytes: bytes.byteLength,
    etag,
    lastModifiedMs,
    ...(traits.storageClass !== undefined && { storageClass: traits.storageClass }),
  }
}

export function infoOf(key: string, object: StoredObject): ObjectInfo {
  const { metadata, headers, traits } = object
  return {
    ...versionOf(key, object),
    metadata,
    headers,
    ...(traits.encryption !== undefined && { encryption: traits.encryption }),
    ...(traits.tags !== undefined && { tagCount: Object.keys(traits.tags).length }),
  }
}
