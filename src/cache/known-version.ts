import type { Metadata, ObjectHeaders, ObjectTraits } from '../backend/object-store.js'
import type { KeptFormat } from './kept-map.js'

/** What is kept beside the bytes of a version, and the time that this mount shows for it. */
export interface KnownVersion {
  readonly metadata: Metadata
  readonly headers: ObjectHeaders
  /** Milliseconds since 1970; what the writer's clock said where this mount wrote the version. */
  readonly shownModifiedMs: number | undefined
  /** Undefined: not asked for yet. Empty: nothing but the bucket's defaults. */
  readonly traits?: ObjectTraits | undefined
}

/** What is known, and of which version: a name in a map (key, ETag and size) goes with it. */
export interface HeldVersion {
  readonly version: KnownVersion
  /** This mount wrote it: the time that it gave the version itself, what its clock said, and as which of its writes. */
  readonly wrote: { readonly claimedMs: number; readonly atMs: number; readonly count: number } | undefined
  /** The store's time of the version; undefined until it was told. */
  readonly lastModifiedMs: number | undefined
  readonly versionId: string | undefined
  /** Counts no longer than this, and is not kept. Undefined: for ever. */
  readonly untilMs: number | undefined
  /** A mount that died may have changed it since, without a trace: it counts once the store has told the same. */
  readonly isDoubtful: boolean
}

/** A change is noted, and written, at the latest so long after the store has carried it out. */
const LATE_MS = 120_000

/** Lines of `known-versions.jsonl`. */
export const KNOWN_VERSION_FORMAT: KeptFormat<HeldVersion> = {
  title: 'mount-bucket known versions 1',
  afterDeath: {
    // A change that came later tells itself apart by its time in the store. So does any change of what was only seen: it
    // is kept for no other case.
    doubted: (held, untilMs) =>
      held.wrote !== undefined && held.wrote.atMs + LATE_MS > untilMs ? { ...held, isDoubtful: true } : held,
    withinMs: LATE_MS,
  },
  write({ version, wrote, lastModifiedMs, versionId, untilMs, isDoubtful }) {
    if (untilMs !== undefined) return undefined
    return { ...version, wroteAtMs: wrote?.atMs, lastModifiedMs, versionId, isDoubtful: isDoubtful || undefined }
  },
  read(json) {
    if (!isRecord(json) || !isTexts(json.metadata) || !isTexts(json.headers)) return undefined
    const { metadata, headers, traits, versionId } = json
    if (!isTraits(traits) || !isMaybe('string', versionId)) return undefined
    const { wroteAtMs, lastModifiedMs, shownModifiedMs } = json
    if (!isMaybe('number', wroteAtMs) || !isMaybe('number', lastModifiedMs)) return undefined
    if (!isMaybe('number', shownModifiedMs) || (wroteAtMs === undefined && lastModifiedMs === undefined))
      return undefined
    return {
      version: { metadata, headers, shownModifiedMs, traits },
      // No cache of this process holds the time that the last one claimed.
      wrote: wroteAtMs === undefined ? undefined : { claimedMs: Number.NaN, atMs: wroteAtMs, count: 0 },
      lastModifiedMs,
      versionId,
      untilMs: undefined,
      isDoubtful: json.isDoubtful === true,
    }
  },
}

function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function isTexts(json: unknown): json is Readonly<Record<string, string>> {
  return isRecord(json) && Object.values(json).every(value => typeof value === 'string')
}

function isMaybe(type: 'string', json: unknown): json is string | undefined
function isMaybe(type: 'number', json: unknown): json is number | undefined
function isMaybe(type: string, json: unknown): boolean {
  return json === undefined || typeof json === type
}

function isTraits(json: unknown): json is ObjectTraits | undefined {
  if (json === undefined) return true
  if (!isRecord(json)) return false
  const { storageClass, encryption, tags, grants } = json
  return (
    isMaybe('string', storageClass) &&
    (encryption === undefined || (isTexts(encryption) && encryption.algorithm !== undefined)) &&
    (tags === undefined || isTexts(tags)) &&
    (grants === undefined || (isRecord(grants) && Object.values(grants).every(isTextList)))
  )
}

function isTextList(json: unknown): boolean {
  return Array.isArray(json) && json.every(text => typeof text === 'string')
}
