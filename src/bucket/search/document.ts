import type { Metadata } from '../../backend/object-store.js'

/** What the index holds of one object. */
export interface Document {
  readonly key: string
  readonly etag: string
  readonly sizeBytes: number
  readonly lastModifiedMs: number
  readonly contentType: string | undefined
  readonly metadata: Metadata
  /** The beginning of its contents, empty where they are no text. */
  readonly text: string
  /** How much of the contents was asked for; undefined: they are no text, however much is asked for. */
  readonly textBytes: number | undefined
  /** When it was fetched. */
  readonly indexedMs: number
}

/** What the index knows of an object without opening its document. */
export interface IndexedVersion {
  readonly key: string
  readonly etag: string
  readonly sizeBytes: number
  readonly lastModifiedMs: number
  readonly textBytes: number | undefined
  readonly indexedMs: number
}
