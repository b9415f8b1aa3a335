import type { SigningScope } from '../signing/signature.js'
import { StoreError } from '../store-error.js'
import { toStoreError } from './errors.js'
import type { HttpOrigin } from './http/exchange.js'
import { GetObjectCommand, type S3Client } from './sdk.js'

/** Where the requests for a bucket go; plain data. */
export interface BucketPlace {
  readonly origin: HttpOrigin
  /** The value of Host. */
  readonly hostField: string
  /** Before `/` and the key, percent-encoded: empty, or the bucket and what the endpoint's URL has. */
  readonly path: string
  readonly scope: SigningScope
}

interface ResolvedRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
}

interface AuthScheme {
  readonly name: string
  readonly signingName?: unknown
  readonly signingRegion?: unknown
}

interface ResolvedContext {
  readonly endpointV2?: {
    readonly properties?: { readonly authSchemes?: readonly AuthScheme[] | undefined }
  }
}

const PROBE_KEY = 'key'

/**
 * Asks the SDK, which knows all forms of endpoints and bucket names, where it would go: a request that is stopped before
 * it is signed tells. Nothing is sent; the client is good for nothing else afterwards.
 */
export async function findPlace(client: S3Client, bucket: string, ca: string | undefined): Promise<BucketPlace> {
  let found: { readonly request: ResolvedRequest; readonly context: ResolvedContext } | undefined
  client.middlewareStack.add(
    (_next, context) => args => {
      found = { request: args.request as ResolvedRequest, context: context as ResolvedContext }
      return Promise.resolve({ output: { $metadata: {} }, response: undefined })
    },
    { step: 'build', priority: 'high', name: 'stopBeforeSigning' },
  )
  try {
    await client.send(new GetObjectCommand({ Bucket: bucket, Key: PROBE_KEY }))
    if (found === undefined) throw new Error('the SDK has built no request')
    const { request, context } = found
    const isSecure = request.protocol === 'https:'
    const port = request.port ?? (isSecure ? 443 : 80)
    const scheme = context.endpointV2?.properties?.authSchemes?.[0]
    return {
      origin: { isSecure, host: request.hostname.replace(/^\[(.*)\]$/, '$1'), port, ca },
      hostField: port === (isSecure ? 443 : 80) ? request.hostname : `${request.hostname}:${port}`,
      path: request.path.slice(0, -`/${PROBE_KEY}`.length),
      scope: scopeOf(scheme, await client.config.region()),
    }
  } catch (error) {
    throw toStoreError(error, { operation: 'open' })
  }
}

function scopeOf(scheme: AuthScheme | undefined, region: string): SigningScope {
  const { name, signingName, signingRegion } = scheme ?? { name: 'sigv4' }
  if (name !== 'sigv4')
    throw new StoreError('unsupported', `a bucket whose requests are signed by ${name}`, { operation: 'open' })
  return {
    service: typeof signingName === 'string' ? signingName : 's3',
    region: typeof signingRegion === 'string' ? signingRegion : region,
  }
}
