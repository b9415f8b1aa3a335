import type { ObjectInfo } from '../object-store.js'
import { isStoreError } from '../store-error.js'
import { isNotImplemented } from './errors.js'
import type { Knowledge } from './knowledge.js'
import type { MultipartRequests } from './multipart-requests.js'
import { PROBE_CONTENT, type ProbeObjects } from './probe.js'
import type { ObjectRequests } from './requests.js'
import type { TraitRequests } from './trait-requests.js'
import { wireTraits } from './wire-fields.js'

const TAGS = { probe: 'a b+c' }
const TAGGED = wireTraits({ tags: TAGS })

/** Finds out, with temporary objects of random names, what a server does with tags. */
export class TagProbe {
  readonly #objects: ObjectRequests
  readonly #multipart: MultipartRequests
  readonly #traits: TraitRequests
  readonly #temporary: ProbeObjects

  constructor(objects: ObjectRequests, multipart: MultipartRequests, traits: TraitRequests, temporary: ProbeObjects) {
    this.#objects = objects
    this.#multipart = multipart
    this.#traits = traits
    this.#temporary = temporary
  }

  /** Whether HEAD and the GET of a range count tags. */
  counting(nearKey: string): Promise<Partial<Knowledge>> {
    return this.#temporary.use(nearKey, async key => {
      const etag = await this.#putTagged(key)
      if (etag === undefined) return (await this.#none(key)) ?? { tags: 'uncounted' }
      const told = await Promise.all([this.#objects.head(key), this.#get(key, etag)])
      return { tags: told.every(({ tagCount }) => tagCount === 1) ? 'counted' : 'uncounted' }
    })
  }

  /** Whether a copy that replaces metadata keeps the tags. */
  copies(nearKey: string): Promise<Partial<Knowledge>> {
    return this.#temporary.use(nearKey, async key => {
      if ((await this.#putTagged(key)) === undefined) return (await this.#none(key)) ?? { copiesKeepTags: false }
      await this.#objects.copy(key, key, { conditions: {}, attachments: { 'x-amz-meta-probe': '1' } })
      return { copiesKeepTags: await this.#isTagged(key) }
    })
  }

  /** Whether the tags with which an upload begins are those of its object. */
  uploads(nearKey: string): Promise<Partial<Knowledge>> {
    return this.#temporary.use(nearKey, async key => {
      let uploadId: string
      try {
        uploadId = await this.#multipart.create(key, TAGGED)
      } catch (error) {
        if (!isStoreError(error, 'unsupported', 'invalid')) throw error
        return (await this.#none(key)) ?? { uploadsKeepTags: false }
      }
      const upload = { key, uploadId }
      try {
        const part = await this.#multipart.part(upload, 1, PROBE_CONTENT)
        await this.#multipart.complete(upload, [part], {})
      } finally {
        await this.#multipart.abort(upload)
      }
      return { uploadsKeepTags: await this.#isTagged(key) }
    })
  }

  /** Undefined where the server does not take them with a PUT. */
  async #putTagged(key: string): Promise<string | undefined> {
    try {
      return (await this.#objects.put(key, PROBE_CONTENT, {}, TAGGED)).etag
    } catch (error) {
      if (isStoreError(error, 'unsupported', 'invalid')) return undefined
      throw error
    }
  }

  /**
   * What a server has that takes no tags with an object. It may refuse just these, or have another way for tags to come:
   * objects have none only where there is no way at all.
   */
  async #none(key: string): Promise<Partial<Knowledge> | undefined> {
    await this.#objects.put(key, PROBE_CONTENT, {}, {})
    try {
      await this.#traits.putTags(key, TAGS, 'traits')
    } catch (error) {
      if (isNotImplemented(error)) return { tags: 'none' }
      if (!isStoreError(error, 'unsupported', 'invalid')) throw error
    }
    return undefined
  }

  async #get(key: string, ifMatch: string): Promise<ObjectInfo> {
    const { info, body } = await this.#objects.get(key, { range: { offset: 1, lengthBytes: 1 }, ifMatch })
    for await (const chunk of body) void chunk
    return info
  }

  async #isTagged(key: string): Promise<boolean> {
    return (await this.#traits.tags(key)).probe === TAGS.probe
  }
}
