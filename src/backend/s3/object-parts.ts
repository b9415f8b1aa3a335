import { checkKey } from '../keys.js'
import type { CallOptions } from '../object-store.js'
import type { ObjectPart, PartsPower } from '../powers.js'
import { isStoreError } from '../store-error.js'
import type { Attempt } from './errors.js'
import { readSize } from './replies.js'
import type { RequestContext } from './request-context.js'

/** HEAD with partNumber (Amazon S3 API Reference, "HeadObject"). Servers that don't know it answer as if it were not there. */
export class ObjectParts implements PartsPower {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async part(key: string, etag: string, number: number, { signal }: CallOptions = {}): Promise<ObjectPart | undefined> {
    checkKey(key, 'partSize')
    const attempt: Attempt = { operation: 'partSize', key, reads: true, signal }
    const { channel, shared } = this.#context
    const fields = { 'if-match': `"${etag}"`, ...shared.payer, ...shared.customerKey }
    try {
      const reply = await channel.send({ method: 'HEAD', key, query: { partNumber: String(number) }, fields }, attempt)
      const sizeBytes = readSize(reply.fields['content-length'])
      const parts = readSize(reply.fields['x-amz-mp-parts-count'])
      return sizeBytes === undefined || parts === undefined ? undefined : { sizeBytes, parts }
    } catch (error) {
      // No such part, another version by now, or a server that refuses the question.
      if (isStoreError(error, 'invalid', 'unsupported', 'precondition-failed', 'not-found')) return undefined
      throw error
    }
  }
}
