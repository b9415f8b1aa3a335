import { join } from 'node:path'
import type { Log } from '../backend/log.js'
import type { ObjectInfo, ObjectTraits, ObjectVersion } from '../backend/object-store.js'
import type { Timers } from '../backend/timers.js'
import { KeptMap } from './kept-map.js'
import { type HeldVersion, KNOWN_VERSION_FORMAT, type KnownVersion } from './known-version.js'

export type { KnownVersion } from './known-version.js'

export interface KnownVersionsOptions {
  readonly maxEntries: number
  /** The mount's state folder. */
  readonly folder: string
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** How long something counts that others may still change without a trace. */
  readonly ttlMs: number
  readonly timers?: Timers | undefined
}

/**
 * The metadata of an object can be replaced without a new ETag, and for so long without a new Last-Modified either: what
 * HEAD tells sooner after it counts for the TTL and is not kept (facts of Ceph RGW).
 */
const SAME_TIME_MS = 2000

/** Instead of ETag and size in the name of what was last seen of a key. */
const LAST = '\0\0'

/** The shortest TTL: what was just asked for is there for who asked. */
const MIN_TTL_MS = 1000

/** No store takes requests whose clock is further off (S3: RequestTimeTooSkewed). */
const MAX_SKEW_MS = 15 * 60_000

/**
 * What this mount wrote or has seen of exact versions: metadata and headers that a listing doesn't tell. Bounded, and
 * kept in the state folder for the next mount. A version is known by key, ETag, size and the store's time of it;
 * another time means that somebody replaced the metadata.
 *
 * The store's time of a version that this mount wrote is not known at first: the first one that a listing or HEAD tells
 * is taken over, unless it is so late that another change must have come in between. A change of metadata alone that
 * another machine made within two seconds of the mount's own, before the mount saw the time, is the one that is missed.
 *
 * A mount that died may not have noted its latest changes: what it had written shortly before is in doubt, and asked for
 * when it is met.
 */
export class KnownVersions {
  readonly #held: KeptMap<HeldVersion>
  readonly #nowMs: () => number
  readonly #ttlMs: number
  #writes = 0
  /** How far the store's clock is ahead, as far as seen. */
  #skewMs = 0

  /** Without a map, which `open` makes, they live as long as the process. */
  constructor(maxEntries: number, options: Partial<KnownVersionsOptions> = {}, held?: KeptMap<HeldVersion>) {
    this.#held = held ?? new KeptMap(maxEntries)
    this.#nowMs = options.nowMs ?? Date.now
    this.#ttlMs = Math.max(options.ttlMs ?? Number.POSITIVE_INFINITY, MIN_TTL_MS)
  }

  static async open(options: KnownVersionsOptions): Promise<KnownVersions> {
    const path = join(options.folder, 'known-versions.jsonl')
    const held = await KeptMap.open({ ...options, path, format: KNOWN_VERSION_FORMAT })
    return new KnownVersions(options.maxEntries, options, held)
  }

  /** Writes what is not in the file yet. */
  close(): Promise<void> {
    return this.#held.close()
  }

  /** A GET or HEAD begins: tell what it answers. What this mount wrote meanwhile is newer, and stays. */
  asking(): (info: ObjectInfo) => void {
    const before = this.#writes
    return info => {
      const count = this.#held.get(nameOf(info))?.wrote?.count ?? 0
      if (count <= before) this.seen(info)
    }
  }

  /** From HEAD or GET. */
  seen(info: ObjectInfo): void {
    const { metadata, headers, lastModifiedMs, versionId } = info
    const held = this.#withoutDoubt(info)
    // An answer that was seen before, or the mount's own, that a cache still holds.
    if (held?.version.metadata === metadata) return
    const isAsHeld = held !== undefined && areSame(held.version.metadata, metadata)
    if (isAsHeld) this.#learnSkew(held, lastModifiedMs)
    const before = this.find(info)
    const isSure = isAsHeld && before !== undefined && held.untilMs === undefined
    if (isSure && held.lastModifiedMs === lastModifiedMs && areSame(before.headers, headers)) return
    const nowMs = this.#nowMs()
    const isSettled = isSure || tellsMilliseconds(lastModifiedMs) || nowMs >= lastModifiedMs + SAME_TIME_MS
    this.#keep(info, {
      version: { metadata, headers, shownModifiedMs: before?.shownModifiedMs, traits: before?.traits },
      wrote: isAsHeld ? held.wrote : undefined,
      lastModifiedMs,
      versionId,
      untilMs: isSettled ? undefined : nowMs + this.#ttlMs,
      isDoubtful: false,
    })
  }

  /**
   * This mount wrote the version. `lastModifiedMs` is this machine's time for it: the store's isn't known yet. Without
   * traits it has none.
   */
  wrote(object: ObjectVersion, version: KnownVersion): void {
    this.#writes += 1
    this.#keep(object, {
      version: { ...version, traits: version.traits ?? {} },
      wrote: { claimedMs: object.lastModifiedMs, atMs: this.#nowMs(), count: this.#writes },
      lastModifiedMs: undefined,
      versionId: object.versionId,
      untilMs: undefined,
      isDoubtful: false,
    })
  }

  /**
   * Everything at and below a path has been copied to another one, with all that is kept beside the bytes. The times
   * that were shown are shown on, although the store has new ones.
   */
  movedBelow(from: string, to: string, etagOfCopy: (rest: string, etag: string) => string): void {
    for (const name of this.#held.names()) {
      const [etag = '', size = '', ...parts] = name.split('\0')
      const key = parts.join('\0')
      const held = isWithin(key, from) ? this.#held.get(name) : undefined
      if (held === undefined) continue
      this.#held.delete(name)
      const rest = key.slice(from.length)
      const { version, lastModifiedMs, isDoubtful } = held
      const shownModifiedMs = version.shownModifiedMs ?? lastModifiedMs ?? held.wrote?.claimedMs
      this.#held.set(`${etag === '' ? '' : etagOfCopy(rest, etag)}\0${size}\0${to}${rest}`, {
        version: { ...version, shownModifiedMs },
        wrote: { claimedMs: this.#nowMs(), atMs: this.#nowMs(), count: this.#writes },
        lastModifiedMs: undefined,
        versionId: undefined,
        untilMs: undefined,
        isDoubtful,
      })
    }
  }

  /** The store told the traits of a version that is known. */
  learnTraits(object: ObjectVersion, traits: ObjectTraits): void {
    const version = this.find(object)
    const held = this.#held.get(nameOf(object))
    if (version !== undefined && held !== undefined)
      this.#held.set(nameOf(object), { ...held, version: { ...version, traits } })
  }

  /** What was last known of a directory's marker, of which no listing of the directory above tells the version. */
  lastOf(key: string): KnownVersion | undefined {
    return this.#held.get(LAST + key)?.version
  }

  /** What is known of the version that a listing or HEAD names. */
  find(object: ObjectVersion): KnownVersion | undefined {
    if (this.#held.size === 0) return undefined
    const name = nameOf(object)
    const held = this.#held.get(name)
    if (held === undefined || (held.isDoubtful && this.#isOf(held, object))) return undefined
    if (held.wrote?.claimedMs === object.lastModifiedMs) return held.version
    if (this.#isOf(held, object)) {
      if (held.lastModifiedMs === undefined) this.#held.set(name, { ...held, lastModifiedMs: object.lastModifiedMs })
      return held.version
    }
    this.#held.delete(name)
    return undefined
  }

  /** Something is held of this version that only a look at it can tell to be so still. */
  isDoubtful(object: ObjectVersion): boolean {
    const held = this.#held.size === 0 ? undefined : this.#held.get(nameOf(object))
    return held?.isDoubtful === true && this.#isOf(held, object)
  }

  /** What is held, without doubt where the store tells the same. */
  #withoutDoubt(info: ObjectInfo): HeldVersion | undefined {
    const held = this.#held.get(nameOf(info))
    if (held?.isDoubtful !== true || !areSame(held.version.metadata, info.metadata)) return held
    const certain = { ...held, isDoubtful: false }
    this.#held.set(nameOf(info), certain)
    return certain
  }

  #keep(object: ObjectVersion, held: HeldVersion): void {
    this.#held.set(nameOf(object), held)
    if (object.key.endsWith('/') && object.sizeBytes === 0) this.#held.set(LAST + object.key, held)
  }

  #isOf(held: HeldVersion, { versionId, lastModifiedMs }: ObjectVersion): boolean {
    if (held.untilMs !== undefined && held.untilMs < this.#nowMs()) return false
    if (held.versionId !== undefined && versionId !== undefined) return held.versionId === versionId
    if (held.lastModifiedMs !== undefined) return isSameTime(held.lastModifiedMs, lastModifiedMs)
    return held.wrote !== undefined && lastModifiedMs <= held.wrote.atMs + this.#skewMs + SAME_TIME_MS
  }

  /** Nobody changed what the mount wrote, so the store's time of it is that of the write. */
  #learnSkew({ wrote, lastModifiedMs }: HeldVersion, toldMs: number): void {
    if (wrote === undefined || lastModifiedMs !== undefined) return
    this.#skewMs = Math.min(MAX_SKEW_MS, Math.max(this.#skewMs, toldMs - wrote.atMs))
  }
}

/** Of flat records as isDeepStrictEqual has it, at a tenth of the cost: every GET is looked at. */
function areSame<T extends object>(a: T, b: T): boolean {
  const names = Object.keys(a) as (keyof T)[]
  return names.length === Object.keys(b).length && names.every(name => Object.hasOwn(b, name) && a[name] === b[name])
}

function isWithin(key: string, path: string): boolean {
  return key === path || key.startsWith(`${path}/`)
}

function tellsMilliseconds(timeMs: number): boolean {
  return timeMs % 1000 !== 0
}

/** HEAD of S3 tells whole seconds (HTTP dates), a listing may tell milliseconds. */
function isSameTime(a: number, b: number): boolean {
  return tellsMilliseconds(a) && tellsMilliseconds(b) ? a === b : Math.floor(a / 1000) === Math.floor(b / 1000)
}

function nameOf({ key, etag, sizeBytes }: ObjectVersion): string {
  return `${etag}\0${sizeBytes}\0${key}`
}
