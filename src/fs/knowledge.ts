import { isSameVersion } from '../backend/etag.js'
import type { ObjectInfo, ObjectStore, ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { KnownVersions } from '../cache/known-versions.js'
import { S_IFREG, typeFrom } from './attributes.js'

/** What is known of stored versions beside what listings tell, and how the rest is asked for. */
export class Knowledge {
  readonly known: KnownVersions
  /** `--attributes full`: every version is asked for at its first sight. */
  readonly asksAll: boolean
  readonly #store: ObjectStore

  constructor(store: ObjectStore, known: KnownVersions, asksAll: boolean) {
    this.#store = store
    this.known = known
    this.asksAll = asksAll
  }

  /**
   * An object of which a listing does not tell whether it is a file: of no bytes, and never seen. So is what a mount
   * that died may have changed.
   */
  isTypeOpen(version: ObjectVersion): boolean {
    const mustAsk = this.asksAll || version.sizeBytes === 0 || this.known.isDoubtful(version)
    return mustAsk && this.known.find(version) === undefined
  }

  /** The type bits of an object that a listing names; undefined where only a look at it tells. */
  typeOf(version: ObjectVersion): number | undefined {
    const known = this.known.find(version)
    if (known !== undefined) return typeFrom(known.metadata)
    return this.isTypeOpen(version) ? undefined : S_IFREG
  }

  /** What HEAD tells of the stored file now; undefined when it is gone or another version. */
  async info(version: ObjectVersion): Promise<ObjectInfo | undefined> {
    const info = await this.head(version.key)
    return info !== undefined && isSameVersion(version, info) ? info : undefined
  }

  /** Asks for what is kept beside the bytes of several versions, at the same time. What is gone meanwhile is left out. */
  async ask(versions: readonly ObjectVersion[]): Promise<void> {
    await Promise.all(versions.map(({ key }) => this.askKey(key)))
  }

  async askKey(key: string): Promise<void> {
    const tell = this.known.asking()
    const info = await this.head(key)
    if (info !== undefined) tell(info)
  }

  /** Undefined when there is no such object. */
  async head(key: string): Promise<ObjectInfo | undefined> {
    try {
      return await this.#store.head(key)
    } catch (error) {
      if (isStoreError(error, 'not-found')) return undefined
      throw error
    }
  }
}
