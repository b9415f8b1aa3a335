import type { ResponseFields } from './http/response-head.js'
import { readFlat, XmlError } from './xml.js'

/** A refusal by the server as it came: status, fields and what its body tells, if it is S3's XML. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError'
  readonly status: number
  /** S3's own; empty where the reply has none (HEAD, proxies). */
  readonly code: string
  readonly requestId: string | undefined
  /** Not shown with the error: there are many. */
  readonly #fields: ResponseFields
  readonly #region: string | undefined

  constructor(status: number, fields: ResponseFields, body: string) {
    const { Code = '', Message, Region } = errorLeaves(body)
    super(Message ?? 'no further word')
    this.status = status
    this.code = Code
    this.requestId = fields['x-amz-request-id']
    this.#fields = fields
    this.#region = fields['x-amz-bucket-region'] ?? Region
  }

  get fields(): ResponseFields {
    return this.#fields
  }

  /** The region that a redirect or AuthorizationHeaderMalformed names. */
  get region(): string | undefined {
    return this.#region
  }
}

function errorLeaves(body: string): Readonly<Partial<Record<string, string>>> {
  try {
    const { root, leaves } = readFlat(body)
    return root === 'Error' ? leaves : {}
  } catch (error) {
    // What a proxy writes is often no XML; the status says enough then.
    if (error instanceof XmlError) return {}
    throw error
  }
}
