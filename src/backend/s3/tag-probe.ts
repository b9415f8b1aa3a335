import { isStoreError } from '../store-error.js'
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

  /** Whether a copy that replaces metadata keeps the tags, and whether HEAD counts them. */
  copies(nearKey: string): Promise<Partial<Knowledge>> {
    return this.#temporary.use(nearKey, async key => {
      try {
        await this.#objects.put(key, PROBE_CONTENT, {}, TAGGED)
      } catch (error) {
        if (isStoreError(error, 'unsupported', 'invalid')) return { tags: 'none' }
        throw error
      }
      const { tagCount } = await this.#objects.head(key)
      await this.#objects.copy(key, key, { conditions: {}, attachments: { 'x-amz-meta-probe': '1' } })
      return { tags: tagCount === 1 ? 'counted' : 'uncounted', copiesKeepTags: await this.#isTagged(key) }
    })
  }

  /** Whether the tags with which an upload begins are those of its object. */
  uploads(nearKey: string): Promise<Partial<Knowledge>> {
    return this.#temporary.use(nearKey, async key => {
      let uploadId: string
      try {
        uploadId = await this.#multipart.create(key, TAGGED)
      } catch (error) {
        if (isStoreError(error, 'unsupported', 'invalid')) return { uploadsKeepTags: false }
        throw error
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

  async #isTagged(key: string): Promise<boolean> {
    return (await this.#traits.tags(key)).probe === TAGS.probe
  }
}
