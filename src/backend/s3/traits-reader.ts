import type { Log } from '../log.js'
import type { ObjectInfo, ObjectTraits, ObjectVersion, TraitsOptions } from '../object-store.js'
import { isStoreError } from '../store-error.js'
import type { KnowledgeBase } from './knowledge.js'
import type { ObjectRequests } from './requests.js'
import type { Tagging } from './tagging.js'
import type { Grants, TraitRequests } from './trait-requests.js'

export interface TraitsServices {
  readonly objects: ObjectRequests
  readonly traitRequests: TraitRequests
  readonly tagging: Tagging
  readonly knowledge: KnowledgeBase
  readonly log: Log
}

/** Collects what has to be handed on to whatever replaces an object. */
export class TraitsReader {
  readonly #services: TraitsServices
  /** What HEAD means when it names no class, where new objects would get another one. */
  readonly #unnamedClass: string | undefined
  /** For as long as the store is open, since an owner may change it. */
  #isOwnerEnforced: boolean | undefined

  constructor(services: TraitsServices, optionClass: string | undefined) {
    this.#services = services
    this.#unnamedClass = optionClass === undefined ? undefined : 'STANDARD'
  }

  async read(key: string, { listed, brief, signal }: TraitsOptions): Promise<ObjectTraits> {
    const [told, grants] = await Promise.all([
      brief === true ? this.#placement(listed) : this.#told(key, listed, signal),
      this.#grants(key, signal),
    ])
    return { ...told, ...(grants !== undefined && { grants }) }
  }

  async #told(key: string, listed: ObjectVersion | undefined, signal: AbortSignal | undefined): Promise<ObjectTraits> {
    const { objects, tagging } = this.#services
    const info = isInfo(listed) ? listed : await objects.head(key, signal)
    const tags = await tagging.of(key, info.tagCount, signal)
    return { ...this.#placement(info), ...(tags !== undefined && { tags }) }
  }

  #placement(listed: ObjectVersion | undefined): ObjectTraits {
    const info = isInfo(listed) ? listed : undefined
    const storageClass = listed?.storageClass ?? (info === undefined ? undefined : this.#unnamedClass)
    return {
      ...(storageClass !== undefined && { storageClass }),
      ...(info?.encryption !== undefined && { encryption: info.encryption }),
    }
  }

  async #grants(key: string, signal: AbortSignal | undefined): Promise<Grants | undefined> {
    const { traitRequests, knowledge, log } = this.#services
    if (knowledge.value.acls === false || (await this.#ownerEnforced(signal))) return undefined
    try {
      return await traitRequests.grants(key, signal)
    } catch (error) {
      if (isStoreError(error, 'unsupported')) await knowledge.add({ acls: false })
      else if (!isStoreError(error, 'denied')) throw error
      log.debug('the ACL of an object is not told', { key, error })
      return undefined
    }
  }

  /** Who may not know it, or asks a server that does not, asks for ACLs. */
  async #ownerEnforced(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#isOwnerEnforced !== undefined) return this.#isOwnerEnforced
    const { traitRequests, log } = this.#services
    try {
      this.#isOwnerEnforced = await traitRequests.isOwnerEnforced(signal)
    } catch (error) {
      if (!isStoreError(error, 'denied', 'unsupported', 'invalid', 'not-found')) throw error
      log.debug('the ownership of objects in the bucket is not told', { error })
      this.#isOwnerEnforced = false
    }
    return this.#isOwnerEnforced
  }
}

/** What HEAD or GET told, rather than a listing. */
function isInfo(listed: ObjectVersion | undefined): listed is ObjectInfo {
  return listed !== undefined && 'metadata' in listed
}
