import { looksLikeMd5 } from '../backend/etag.js'
import { sameMetadata } from '../backend/layers/retry/settlement.js'
import type { Attachments, ObjectInfo } from '../backend/object-store.js'

/** What a commit has sent that got no answer: enough to tell it from what others store. */
export interface SentObject {
  readonly sizeBytes: number
  /** What S3 would call it: the MD5 of its bytes, or of those of its parts. Undefined where that is not known. */
  readonly etag: string | undefined
  readonly attachments: Attachments
}

/** The same, and how often the file had been changed by then. */
export interface SentState extends SentObject {
  readonly changes: number
}

/** Commits of one file whose outcome is not known: the bucket may hold, under the file's name, what one of them has sent. */
export class Unanswered {
  #own: readonly SentState[] = []
  /** Of the file that this one was renamed over. */
  #replaced: readonly SentState[] = []

  get isEmpty(): boolean {
    return this.#own.length === 0 && this.#replaced.length === 0
  }

  add(sent: SentState): void {
    this.#own = [...this.#own.slice(1 - MAX_SENT), sent]
  }

  /** The state of the file that this object is; undefined where others have made it, or perhaps have. */
  find(found: ObjectInfo | undefined): SentState | undefined {
    return found && this.#own.findLast(sent => isSent(found, sent))
  }

  /** Whether the object is no other's than this mount's. */
  includes(found: ObjectInfo): boolean {
    return [...this.#own, ...this.#replaced].some(sent => isSent(found, sent))
  }

  /** What was sent has been copied to another key, where a store may have given it another ETag. */
  copied(etagOfCopy: (etag: string) => string): void {
    const copy = (sent: SentState) => ({ ...sent, etag: sent.etag && etagOfCopy(sent.etag) })
    this.#own = this.#own.map(copy)
    this.#replaced = this.#replaced.map(copy)
  }

  /** The file has another name, where this may have been stored before. */
  moved(replaced: Unanswered | undefined): void {
    this.#own = []
    this.#replaced = replaced === undefined ? [] : [...replaced.#replaced, ...replaced.#own]
  }

  clear(): void {
    this.#own = []
    this.#replaced = []
  }
}

/** More are not looked for: who has tried so often for want of an answer has done so for a long time. */
const MAX_SENT = 16

/** Where an ETag tells nothing of the bytes (KMS, SSE-C), it is not known whose they are: then they count as others'. */
function isSent(found: ObjectInfo, { sizeBytes, etag, attachments }: SentObject): boolean {
  if (found.sizeBytes !== sizeBytes || found.etag !== etag) return false
  return (looksLikeMd5(etag) || etag.includes('-')) && sameMetadata(attachments.metadata ?? {}, found.metadata)
}
