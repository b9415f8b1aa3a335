import type { Metadata } from './object-store.js'

/** Names under which an object's metadata can hold a digest of its bytes, in lower-case hex. */
const DIGEST_NAMES = ['sha256', 'sha1'] as const

export type DigestName = (typeof DIGEST_NAMES)[number]

/** The strongest digest that the metadata holds. */
export function digestIn(metadata: Metadata): { readonly name: DigestName; readonly hex: string } | undefined {
  for (const name of DIGEST_NAMES) {
    const hex = metadata[name]?.toLowerCase()
    if (hex !== undefined && /^[0-9a-f]+$/.test(hex) && hex.length === HEX_LENGTHS[name]) return { name, hex }
  }
  return undefined
}

/**
 * The digest in the metadata, unless it may be of earlier bytes. A program that writes an object anew may hand its metadata
 * on, and the digest of the old bytes with it: those that do (s3fs, a mount) also store the time of the change.
 */
export function trustedDigest(metadata: Metadata): ReturnType<typeof digestIn> {
  return metadata.mtime === undefined ? digestIn(metadata) : undefined
}

/** Metadata that goes on beside other bytes: a digest of the old ones, which `old` had, would lie. */
export function withoutDigests(metadata: Metadata, old: Metadata = metadata): Metadata {
  const isOld = (name: string) => isDigestName(name) && metadata[name] === old[name]
  if (!Object.keys(metadata).some(isOld)) return metadata
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !isOld(name)))
}

function isDigestName(name: string): boolean {
  return (DIGEST_NAMES as readonly string[]).includes(name)
}

const HEX_LENGTHS: Readonly<Record<DigestName, number>> = { sha256: 64, sha1: 40 }
