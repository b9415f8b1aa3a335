import { isSameVersion } from '../backend/etag.js'
import { MAX_KEY_BYTES } from '../backend/keys.js'
import type { ObjectStore } from '../backend/object-store.js'
import type { Found, MetadataCache } from '../cache/metadata-cache.js'
import { FsError } from './fs-error.js'
import type { Knowledge } from './knowledge.js'
import { entryOf, isPartial, partialText, SELF_SLOT } from './names.js'
import type { Node } from './node.js'

/** Finds what stands at a slot of a folder, with all that must be known before there is a node of it. */
export class Finder {
  readonly #store: ObjectStore
  readonly #metadata: MetadataCache
  readonly #knowledge: Knowledge
  readonly #expiry: () => number

  /** `expiry` is when something learnt now stops to count. */
  constructor(store: ObjectStore, metadata: MetadataCache, knowledge: Knowledge, expiry: () => number) {
    this.#store = store
    this.#metadata = metadata
    this.#knowledge = knowledge
    this.#expiry = expiry
  }

  /** As `find`, where there is nothing to ask; undefined where there is. */
  known(parent: Node, slot: string): Found | undefined {
    if (slot === SELF_SLOT || isPartial(slot) || isTooLong(parent, slot)) return undefined
    const found = this.#metadata.known(parent.prefix, slot)
    if (found === undefined || found.isGlimpsed === true || found.isDirectory) return undefined
    const hasType =
      found.version === undefined || found.info !== undefined || !this.#knowledge.isTypeOpen(found.version)
    return hasType ? found : undefined
  }

  async find(parent: Node, slot: string): Promise<Found> {
    if (slot === SELF_SLOT) return this.#foundBeside(parent)
    if (isPartial(slot)) return this.#foundPartial(parent, slot)
    if (isTooLong(parent, slot)) throw new FsError('ENAMETOOLONG', 'the key would be over 1,024 bytes')
    const found = await this.#metadata.lookup(parent.prefix, slot)
    if (!found.isDirectory) return this.#withType(parent, slot, found)
    if (this.#knowledge.asksAll && parent.children.get(slot)?.marker === undefined)
      await this.#knowledge.askKey(`${parent.prefix}${slot}/`)
    else if (found.marker !== undefined && this.#knowledge.known.find(found.marker) === undefined)
      await this.#knowledge.ask([found.marker])
    return found
  }

  /** The kernel never lets a node change its type, so that must be known before there is one. */
  async #withType(parent: Node, slot: string, found: Found): Promise<Found> {
    if (found.version === undefined || found.info !== undefined) return found
    const { known } = this.#knowledge
    const isGlimpsed = found.isGlimpsed === true && known.find(found.version) === undefined
    if (!isGlimpsed && !this.#knowledge.isTypeOpen(found.version)) return found
    const info = await this.#knowledge.head(found.version.key)
    if (info !== undefined && isSameVersion(found.version, info)) return { ...found, info }
    this.#metadata.forget(parent.pathOf(slot))
    return this.#metadata.lookup(parent.prefix, slot)
  }

  async #foundBeside(directory: Node): Promise<Found> {
    const { parent, slot } = directory
    const nothing = { version: undefined, isDirectory: false, info: undefined, expiresMs: this.#expiry() }
    if (parent === undefined || isPartial(slot)) return nothing
    const found = await this.#metadata.lookup(parent.prefix, slot)
    return this.#withType(parent, slot, { ...found, isDirectory: false })
  }

  async #foundPartial(parent: Node, slot: string): Promise<Found> {
    const prefix = parent.prefix + partialText(slot)
    const leadsHere = (key: string) => entryOf(key.slice(parent.prefix.length), parent.partial)?.slot === slot
    let isDirectory = false
    let cursor: string | undefined
    do {
      const page = await this.#store.list({ prefix, delimiter: '/', cursor })
      isDirectory = [...page.objects.map(({ key }) => key), ...page.prefixes.map(key => key.slice(0, -1))].some(
        leadsHere,
      )
      cursor = page.next
    } while (!isDirectory && cursor !== undefined)
    return { version: undefined, isDirectory, info: undefined, expiresMs: this.#expiry() }
  }
}

function isTooLong(parent: Node, slot: string): boolean {
  return Buffer.byteLength(parent.prefix + slot) > MAX_KEY_BYTES
}
