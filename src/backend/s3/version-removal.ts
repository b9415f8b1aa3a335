import type { DeleteMarkerEntry, ObjectVersion } from '@aws-sdk/client-s3'
import type { CallOptions } from '../object-store.js'
import type { VersionsPower } from '../powers.js'
import { NOT_IN_XML } from './delete-many.js'
import { type Attempt, toStoreError } from './errors.js'
import { decodeName } from './list-reply.js'
import type { RequestContext } from './request-context.js'
import { DeleteObjectCommand, DeleteObjectsCommand, ListObjectVersionsCommand } from './sdk.js'

/** What a bucket keeps that has or had versions: old ones, and marks of deleted keys. */
export class VersionRemoval implements VersionsPower {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async removeSome(prefix: string, { signal }: CallOptions = {}): Promise<number> {
    const attempt: Attempt = { operation: 'removeVersions', writes: true, signal }
    const { bucket, payer } = this.#context
    const found = await this.#context.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, EncodingType: 'url', ...payer }),
      attempt,
    )
    const named = [...(found.Versions ?? []), ...(found.DeleteMarkers ?? [])].map(each => versionOf(each, attempt))
    await this.#remove(
      named.filter(({ Key }) => !NOT_IN_XML.test(Key)),
      attempt,
    )
    for (const version of named.filter(({ Key }) => NOT_IN_XML.test(Key)))
      await this.#context.send(new DeleteObjectCommand({ Bucket: bucket, ...version, ...payer }), attempt)
    return named.length
  }

  async #remove(versions: readonly Version[], attempt: Attempt): Promise<void> {
    if (versions.length === 0) return
    const { bucket, payer } = this.#context
    const command = new DeleteObjectsCommand({
      Bucket: bucket,
      Delete: { Objects: [...versions], Quiet: true },
      ...payer,
    })
    const { Errors: [failed] = [] } = await this.#context.send(command, attempt)
    if (failed === undefined) return
    const { Key, Code, Message, VersionId } = failed
    const message = `version ${VersionId}: ${Message}`
    throw toStoreError({ Code, message }, { ...attempt, key: Key })
  }
}

interface Version {
  readonly Key: string
  readonly VersionId: string
}

function versionOf({ Key = '', VersionId = 'null' }: ObjectVersion | DeleteMarkerEntry, attempt: Attempt): Version {
  return { Key: decodeName(Key, attempt), VersionId }
}
