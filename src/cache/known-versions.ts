import { LRUCache } from 'lru-cache'
import type { Metadata, ObjectHeaders, ObjectInfo, ObjectTraits, ObjectVersion } from '../backend/object-store.js'

/** What is kept beside the bytes of a version, and the time that this mount shows for it. */
export interface KnownVersion {
  readonly metadata: Metadata
  readonly headers: ObjectHeaders
  /** What else the store keeps; undefined: not known. */
  readonly traits?: ObjectTraits | undefined
  /** Milliseconds since 1970; what the writer's clock said where this mount wrote the version. */
  readonly shownModifiedMs: number | undefined
}

/**
 * What this mount wrote or has seen of exact versions: metadata and headers that a listing doesn't tell. Bounded.
 * A version is known by key and ETag; the store's time of it is taken over at the first sight after a write, and
 * another time later means that somebody replaced the metadata.
 */
export class KnownVersions {
  readonly #known: LRUCache<string, Held>

  constructor(maxEntries: number) {
    this.#known = new LRUCache({ max: Math.max(1, maxEntries) })
  }

  /** From HEAD or GET. */
  seen(info: ObjectInfo): void {
    const shownModifiedMs = this.find(info)?.shownModifiedMs
    const version = { metadata: info.metadata, headers: info.headers, shownModifiedMs }
    this.#known.set(nameOf(info), { version, wroteMs: undefined, lastModifiedMs: info.lastModifiedMs })
  }

  /** This mount wrote the version. `lastModifiedMs` is this machine's time for it: the store's isn't known yet. */
  wrote(object: ObjectVersion, version: KnownVersion): void {
    this.#known.set(nameOf(object), { version, wroteMs: object.lastModifiedMs, lastModifiedMs: undefined })
  }

  /** What is known of the version that a listing or HEAD names. */
  find(object: ObjectVersion): KnownVersion | undefined {
    const held = this.#known.get(nameOf(object))
    if (held === undefined) return undefined
    if (held.wroteMs === object.lastModifiedMs) return held.version
    held.lastModifiedMs ??= object.lastModifiedMs
    if (isSameSecond(held.lastModifiedMs, object.lastModifiedMs)) return held.version
    this.#known.delete(nameOf(object))
    return undefined
  }
}

interface Held {
  readonly version: KnownVersion
  readonly wroteMs: number | undefined
  lastModifiedMs: number | undefined
}

/** HEAD tells whole seconds (HTTP dates), a listing may tell milliseconds. */
function isSameSecond(a: number, b: number): boolean {
  return Math.floor(a / 1000) === Math.floor(b / 1000)
}

function nameOf(version: { readonly key: string; readonly etag: string }): string {
  return `${version.key}\0${version.etag}`
}
