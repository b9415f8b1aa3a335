import type { Capabilities, ObjectVersion } from '../../backend/object-store.js'

const MIB = 1024 * 1024

/** Sizes of parts that programs are known to use, beside ours. */
const COMMON_MIB = [5, 6, 8, 10, 15, 16, 20, 24, 25, 32, 48, 50, 64, 96, 100, 128, 200, 256, 500, 512, 1024]

/** Parts of one size for a file whose size is known: that of the configuration, doubled until they are few enough. */
export function partSizeFor(sizeBytes: number, firstBytes: number, limits: Capabilities['multipart']): number {
  let partBytes = Math.min(Math.max(firstBytes, limits.minPartBytes), limits.maxPartBytes)
  while (Math.ceil(sizeBytes / partBytes) > limits.maxParts && partBytes < limits.maxPartBytes)
    partBytes = Math.min(partBytes * 2, limits.maxPartBytes)
  return partBytes
}

/** The sizes of parts in which an object may have come by what its ETag tells; `ours` first. */
export function possiblePartSizes(
  { sizeBytes, etag }: Pick<ObjectVersion, 'sizeBytes' | 'etag'>,
  ours: number,
): readonly number[] {
  const parts = partsOfEtag(etag)
  if (parts === undefined) return []
  const sizes = [ours, ...COMMON_MIB.map(size => size * MIB), ...COMMON_MIB.map(size => size * 1_000_000)]
  return [...new Set(sizes)].filter(size => Math.max(1, Math.ceil(sizeBytes / size)) === parts)
}

/** The number of parts that an ETag of S3 tells; undefined for any other. */
export function partsOfEtag(etag: string): number | undefined {
  const count = /^[0-9a-f]{32}-([1-9]\d{0,4})$/.exec(etag)?.[1]
  return count === undefined ? undefined : Number(count)
}
