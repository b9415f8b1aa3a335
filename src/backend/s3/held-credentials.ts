import type { S3Credentials } from './options.js'

/** Of the SDK's chain; some say until when they are good. */
export interface ProvidedCredentials extends S3Credentials {
  readonly expiration?: Date | undefined
}

/** At once, where they are at hand. */
export type CredentialSource = () => S3Credentials | Promise<S3Credentials>

/** The SDK has others in the place of what ends sooner. */
const RENEWED_MS = 5 * 60_000

/**
 * Credentials as long as their provider would only give the same once more: the SDK's answer comes some turns of the queue
 * later, which every request would wait for. Without an end they stay, as with the SDK.
 */
export function heldCredentials(provider: () => Promise<ProvidedCredentials>, nowMs: () => number): CredentialSource {
  let held: S3Credentials | undefined
  let untilMs = 0
  const ask = async () => {
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provider()
    // Providers tell more with them, which not every thread could be sent.
    held = { accessKeyId, secretAccessKey, sessionToken }
    untilMs = expiration === undefined ? Number.POSITIVE_INFINITY : expiration.getTime() - RENEWED_MS
    return held
  }
  return () => (held !== undefined && nowMs() < untilMs ? held : ask())
}
