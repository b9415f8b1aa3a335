import type { Metadata, ObjectHeaders } from '../backend/object-store.js'
import type { AttributeChanges } from './attribute-changes.js'
import { withAttributes, withoutAttributes } from './attributes.js'
import type { Directories } from './directories.js'
import { FsError } from './fs-error.js'
import { isPartial } from './names.js'
import type { Node } from './node.js'
import type { ObjectFacts } from './object-facts.js'
import type { XattrDemand } from './operations.js'
import type { Tree } from './tree.js'
import { decodeValue, encodeValue, metadataBytes, metadataNameOf, xattrNameOf } from './xattr-names.js'

const PREFIX = 'user.'
/** What the driver tells of the stored object; never listed, since `cp -a` would copy it. */
const FACTS_PREFIX = 'user.bucket.'

/** Headers that can be set, by their names as attributes. */
const HEADERS: ReadonlyMap<string, keyof ObjectHeaders> = new Map([
  ['content-type', 'contentType'],
  ['content-encoding', 'contentEncoding'],
  ['content-disposition', 'contentDisposition'],
  ['content-language', 'contentLanguage'],
  ['cache-control', 'cacheControl'],
  ['expires', 'expires'],
])

interface Kept {
  readonly metadata: Metadata
  readonly headers: ObjectHeaders
}

/** Extended attributes: `user.*` is the object's own metadata, `user.bucket.*` what the store tells of it. */
export class Xattrs {
  readonly #tree: Tree
  readonly #changes: AttributeChanges
  readonly #directories: Directories
  readonly #facts: ObjectFacts

  constructor(tree: Tree, changes: AttributeChanges, directories: Directories, facts: ObjectFacts) {
    this.#tree = tree
    this.#changes = changes
    this.#directories = directories
    this.#facts = facts
  }

  async get(node: Node, name: Uint8Array): Promise<Uint8Array> {
    const fact = factOf(name)
    const header = fact === undefined ? undefined : HEADERS.get(fact)
    // Refused before anything is asked for: `ls` wants some of every file.
    const own = fact === undefined ? ownName(name) : undefined
    await this.#know(node)
    const kept = this.#kept(node)
    if (fact !== undefined && header === undefined) return this.#facts.tell(node, fact)
    const key = own === undefined ? undefined : metadataNameOf(own, kept.metadata)
    const value = header === undefined ? kept.metadata[key ?? ''] : kept.headers[header]
    if (value === undefined) throw new FsError('ENODATA', `${node.path} has no such attribute`)
    return header === undefined ? decodeValue(value) : Buffer.from(value)
  }

  /** What is known: costs no request. */
  list(node: Node): readonly Uint8Array[] {
    return Object.keys(this.#kept(node).metadata)
      .map(xattrNameOf)
      .filter(name => name !== undefined)
      .map(name => Buffer.concat([Buffer.from(PREFIX), name]))
  }

  set(node: Node, name: Uint8Array, value: Uint8Array, demand: XattrDemand): Promise<void> {
    const fact = factOf(name)
    return this.#edit(node, name, (kept, key) => {
      const exists =
        fact === undefined ? kept.metadata[key] !== undefined : kept.headers[key as keyof ObjectHeaders] !== undefined
      if (demand === 'absent' && exists) throw new FsError('EEXIST', 'the attribute exists')
      if (demand === 'present' && !exists) throw new FsError('ENODATA', 'the attribute does not exist')
      if (fact === undefined) return { ...kept, metadata: { ...kept.metadata, [key]: encodeValue(value) } }
      return { ...kept, headers: { ...kept.headers, [key]: headerText(value) } }
    })
  }

  remove(node: Node, name: Uint8Array): Promise<void> {
    const half = factOf(name) === undefined ? 'metadata' : 'headers'
    return this.#edit(node, name, (kept, key) => {
      const { [key]: removed, ...rest } = kept[half] as Readonly<Record<string, string | undefined>>
      if (removed === undefined) throw new FsError('ENODATA', `${node.path} has no such attribute`)
      return { ...kept, [half]: rest }
    })
  }

  /** `change` gets the name in the metadata, or of the header. */
  async #edit(node: Node, name: Uint8Array, change: (kept: Kept, key: string) => Kept): Promise<void> {
    if (node.isDirectory && (node.parent === undefined || isPartial(node.slot)))
      throw new FsError('EOPNOTSUPP', 'no object stands for this folder')
    const fact = factOf(name)
    const own = fact === undefined ? ownName(name) : undefined
    const edit = () => {
      const kept = this.#kept(node)
      const key = own === undefined ? HEADERS.get(fact ?? '') : metadataNameOf(own, kept.metadata)
      if (key === undefined) throw new FsError('EPERM', 'the driver keeps this attribute by itself')
      const edited = change(kept, key)
      const sizeBytes = metadataBytes(withAttributes(edited.metadata, node.own, node.type))
      if (sizeBytes > this.#tree.store.capabilities.maxMetadataBytes)
        throw new FsError('ENOSPC', `the store takes no ${sizeBytes} bytes of metadata`)
      node.edited = edited
      node.changed = this.#tree.now()
      return true
    }
    await (node.isDirectory ? this.#directories.change(node, edit) : this.#changes.edit(node, edit))
  }

  #know(node: Node): Promise<void> {
    return node.isDirectory ? this.#directories.learn(node) : this.#tree.learn(node)
  }

  #kept(node: Node): Kept {
    const { known, edited } = node
    return edited ?? { metadata: withoutAttributes(known?.metadata ?? {}), headers: this.#tree.headers(node) }
  }
}

/** The part behind `user.bucket.`; undefined for other names. */
function factOf(name: Uint8Array): string | undefined {
  const text = Buffer.from(name).toString()
  return text.startsWith(FACTS_PREFIX) ? text.slice(FACTS_PREFIX.length) : undefined
}

/** The part behind `user.`. Security modules, ACLs and the superuser's attributes have no place in a bucket. */
function ownName(name: Uint8Array): Uint8Array {
  const bytes = Buffer.from(name)
  if (!bytes.subarray(0, PREFIX.length).equals(Buffer.from(PREFIX)) || bytes.length === PREFIX.length)
    throw new FsError('EOPNOTSUPP', 'only attributes of the namespace user. can be kept')
  return bytes.subarray(PREFIX.length)
}

/** EINVAL for what no HTTP header holds. */
function headerText(value: Uint8Array): string {
  const text = Buffer.from(value).toString().trim()
  if (!/^[\x20-\x7e]+$/.test(text)) throw new FsError('EINVAL', 'a header holds printable ASCII only')
  return text
}
