import type { SignFormOptions } from '../powers.js'
import { StoreError } from '../store-error.js'
import { wholeSeconds } from './presigned-url.js'
import { ALGORITHM, type Signer, type SigningCredentials } from './signature.js'

/** What stands at the end of a key whose end the uploaded file's name is. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: S3 writes it so.
export const FILE_NAME = '${filename}'

/** What a file must be like to be taken: a field that equals, or begins with, a text, or a size in bytes. */
export type Condition =
  | Readonly<Record<string, string>>
  | readonly ['eq' | 'starts-with', string, string]
  | readonly ['content-length-range', number, number]

export interface Policy {
  readonly expiration: string
  readonly conditions: readonly Condition[]
}

export interface FormPlace {
  /** Undefined: there is but one. */
  readonly bucket?: string | undefined
  readonly key: string
  /** What is kept with the file beside content headers, as it is sent: metadata with its prefix, its class, its encryption. */
  readonly kept: Readonly<Record<string, string>>
  readonly acl: string | undefined
}

/** More than any store takes by a form (5 GiB). */
const MAX_FORM_BYTES = 5 * 1024 ** 3

/**
 * The fields of a form with its signed policy (Amazon S3 API Reference, "Browser-Based Uploads Using POST"). Each of them
 * is a condition, so that none can be altered.
 */
export function signedFields(
  place: FormPlace,
  options: SignFormOptions,
  signer: Signer,
  credentials: SigningCredentials,
  clock: { readonly nowMs: number; readonly time: string },
): Readonly<Record<string, string>> {
  const fields = defined({
    key: place.key,
    acl: place.acl,
    'Content-Type': options.headers?.contentType,
    'Content-Disposition': options.headers?.contentDisposition,
    'Cache-Control': options.headers?.cacheControl,
    success_action_redirect: options.redirect,
    success_action_status: options.redirect === undefined ? String(options.status ?? 204) : undefined,
    ...place.kept,
    'x-amz-algorithm': ALGORITHM,
    'x-amz-credential': signer.credential(credentials, clock.time),
    'x-amz-date': clock.time,
    'x-amz-security-token': credentials.sessionToken,
  })
  const policy: Policy = {
    expiration: new Date(clock.nowMs + 1000 * wholeSeconds(options.expiresMs)).toISOString(),
    conditions: [...bucketCondition(place), ...fieldConditions(fields), ...fileConditions(options)],
  }
  const encoded = Buffer.from(JSON.stringify(policy)).toString('base64')
  return { ...fields, policy: encoded, 'x-amz-signature': signer.signText(encoded, credentials, clock.time) }
}

function bucketCondition({ bucket }: FormPlace): readonly Condition[] {
  return bucket === undefined ? [] : [{ bucket }]
}

function fieldConditions(fields: Readonly<Record<string, string>>): readonly Condition[] {
  return Object.entries(fields).map(([name, value]) =>
    name === 'key' && value.endsWith(FILE_NAME)
      ? ['starts-with', '$key', value.slice(0, -FILE_NAME.length)]
      : { [name]: value },
  )
}

function fileConditions({ headers, minSizeBytes = 0, maxSizeBytes }: SignFormOptions): readonly Condition[] {
  // What a browser adds of itself must be allowed for, too.
  const anyType: readonly Condition[] = headers?.contentType === undefined ? [['starts-with', '$Content-Type', '']] : []
  if (minSizeBytes === 0 && maxSizeBytes === undefined) return anyType
  const most = maxSizeBytes ?? MAX_FORM_BYTES
  if (!Number.isSafeInteger(minSizeBytes) || !Number.isSafeInteger(most) || minSizeBytes < 0 || minSizeBytes > most)
    throw new StoreError('invalid', `not a range of sizes: ${minSizeBytes} to ${most} bytes`)
  return [...anyType, ['content-length-range', minSizeBytes, most]]
}

function defined(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
