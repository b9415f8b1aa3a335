import { unlessAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import type { Log } from '../log.js'
import type { ObjectInfo, ObjectTraits, ObjectVersion, TraitsOptions } from '../object-store.js'
import { isStoreError } from '../store-error.js'
import { isNotImplemented } from './errors.js'
import type { KnowledgeBase } from './knowledge.js'
import type { S3Options } from './options.js'
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
  /** New objects get an ACL, which is refused, or demanded, where ACLs say nothing. */
  readonly #givesAcl: boolean
  /** For as long as the store is open, since an owner may change it. */
  #isOwnerEnforced: Promise<boolean> | undefined
  #hasAskedAcl = false

  constructor(services: TraitsServices, { storageClass, acl }: Pick<S3Options, 'storageClass' | 'acl'>) {
    this.#services = services
    this.#unnamedClass = storageClass === undefined ? undefined : 'STANDARD'
    this.#givesAcl = acl !== undefined
  }

  async read(key: string, options: TraitsOptions): Promise<ObjectTraits> {
    const { brief = false, only, signal } = options
    const [others, grants] = await Promise.all([
      only === 'grants' ? {} : this.#others(key, options),
      only === 'others' ? undefined : this.#grants(key, brief, signal),
    ])
    return { ...others, ...(grants !== undefined && { grants }) }
  }

  async #others(key: string, { listed, brief, writesNothing, signal }: TraitsOptions): Promise<ObjectTraits> {
    if (brief === true) return this.#placement(listed)
    const { objects, tagging } = this.#services
    const info = isInfo(listed) ? listed : await objects.head(key, signal)
    const tags = await tagging.of(key, info.tagCount, { writesNothing, signal })
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

  /**
   * Whether ACLs say anything is worth a request where several objects are asked for: the second one shows that. Of the
   * first it is asked only when there is something to hand on.
   */
  async #grants(key: string, isOneOfMany: boolean, signal: Signal | undefined): Promise<Grants | undefined> {
    if (this.#services.knowledge.value.acls === false) return undefined
    const isFirst = !isOneOfMany && !this.#hasAskedAcl && !this.#givesAcl
    const ownerEnforced = () => unlessAborted(this.#ownerEnforced(), signal, 'traits', key)
    if (!isFirst && (await ownerEnforced())) return undefined
    this.#hasAskedAcl = true
    const grants = await this.#acl(key, signal)
    if (!isFirst || grants === undefined || Object.keys(grants).length === 0) return grants
    return (await ownerEnforced()) ? undefined : grants
  }

  async #acl(key: string, signal: Signal | undefined): Promise<Grants | undefined> {
    const { traitRequests, knowledge, log } = this.#services
    try {
      return await traitRequests.grants(key, signal)
    } catch (error) {
      if (isNotImplemented(error)) await knowledge.add({ acls: false })
      else if (!isStoreError(error, 'denied', 'unsupported')) throw error
      log.debug('the ACL of an object is not told', { key, error })
      return undefined
    }
  }

  /** One question for all who ask at the same time; a failure is theirs, and asked again. */
  #ownerEnforced(): Promise<boolean> {
    this.#isOwnerEnforced ??= this.#askOwnership().catch((error: unknown) => {
      this.#isOwnerEnforced = undefined
      throw error
    })
    return this.#isOwnerEnforced
  }

  /** Who may not know it, or asks a server that does not, asks for ACLs. */
  async #askOwnership(): Promise<boolean> {
    const { traitRequests, log } = this.#services
    try {
      return await traitRequests.isOwnerEnforced()
    } catch (error) {
      if (!isStoreError(error, 'denied', 'unsupported', 'invalid', 'not-found')) throw error
      log.debug('the ownership of objects in the bucket is not told', { error })
      return false
    }
  }
}

/** What HEAD or GET told, rather than a listing. */
function isInfo(listed: ObjectVersion | undefined): listed is ObjectInfo {
  return listed !== undefined && 'metadata' in listed
}
