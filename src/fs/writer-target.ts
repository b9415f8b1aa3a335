import type { Attachments, ObjectInfo, ObjectVersion } from '../backend/object-store.js'
import type { Told } from './known-traits.js'
import type { Mutex } from './mutex.js'

/** The file that a writer writes, as the writer needs to know it. */
export interface WriterTarget {
  /** The present key. */
  readonly path: string
  /** The file's: held while its bytes, its stored object or its name change. */
  readonly lock: Mutex
  /** The name is gone: nothing is to be published. */
  readonly isUnlinked: boolean
  /** Runs a change of what is stored, behind the renaming of a folder above. Not to be called under the lock. */
  whileNamed<T>(task: () => Promise<T>): Promise<T>
  /** `attachments` will be called: it may get ready. `isFetchDue`: probably with what a GET tells. */
  expectAttachments(isFetchDue: boolean): void
  /** What is to be kept beside the bytes now. `told`: by a GET of the version that is edited. */
  attachments(told?: Told): Promise<Attachments>
  /** The file that the bucket holds under the name at this moment. */
  current(): Promise<ObjectInfo | undefined>
  /** What was appended stands behind this version of others now: it is the one that the file is made from. */
  rebased(info: ObjectInfo): void
  /** The commit has published this version. */
  committed(version: ObjectVersion, attachments: Attachments): void
  /** Whether the commit has published anything is not known, and so is what the name leads to in the bucket. */
  unanswered(): void
  /** Others have changed the object, so what is known of it is not true. */
  refused(): void
}
