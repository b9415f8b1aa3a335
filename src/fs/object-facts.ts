import type { ObjectInfo, ObjectVersion } from '../backend/object-store.js'
import { FsError } from './fs-error.js'
import type { Node } from './node.js'
import type { Tree } from './tree.js'

/** Who everybody is in a grant of S3 (Amazon S3 User Guide, "Access control list overview"). */
const EVERYBODY = 'http://acs.amazonaws.com/groups/global/AllUsers'
const CHECKSUM = 'checksum-'

/** What the store itself tells of a stored object, by name: the virtual attributes `user.bucket.*`. */
export class ObjectFacts {
  readonly #tree: Tree

  constructor(tree: Tree) {
    this.#tree = tree
  }

  /** ENODATA for what the object has not or nobody knows. */
  async tell(node: Node, name: string): Promise<Buffer> {
    const version = node.version ?? node.marker
    const value = version === undefined ? undefined : await this.#value(version, name)
    if (value === undefined) throw new FsError('ENODATA', `${node.path}: the store tells no ${name}`)
    return Buffer.from(value)
  }

  async #value(version: ObjectVersion, name: string): Promise<string | undefined> {
    const { url } = this.#tree.store
    if (name === 'key') return version.key
    if (name === 'url') return `${url}${url.endsWith('/') ? '' : '/'}${version.key}`
    if (name === 'etag') return version.etag
    if (name === 'version-id') return version.versionId
    if (name === 'storage-class') return version.storageClass
    if (name === 'public') return String(await this.#isPublic(version))
    const info = await this.#tree.knowledge.info(version)
    if (info === undefined) throw new FsError('ESTALE', `${version.key} was changed by others`)
    if (name === 'md5') return md5Of(info)
    if (name === 'server-side-encryption') return info.encryption?.algorithm
    if (name === 'kms-key-id') return info.encryption?.keyId
    return name.startsWith(CHECKSUM) ? info.checksums?.[name.slice(CHECKSUM.length)] : undefined
  }

  async #isPublic(version: ObjectVersion): Promise<boolean> {
    const { grants = {} } = await this.#tree.store.traits(version.key, { listed: version, brief: true })
    return [...(grants.read ?? []), ...(grants.fullControl ?? [])].some(grantee => grantee.includes(EVERYBODY))
  }
}

/** The ETag is the MD5 of what was put in one piece and is not encrypted with a key of the customer's. */
function md5Of({ etag, encryption }: ObjectInfo): string | undefined {
  const isPlain = encryption === undefined || encryption.algorithm === 'AES256'
  return isPlain && /^[0-9a-f]{32}$/i.test(etag) ? etag.toLowerCase() : undefined
}
