import { bucketNameOf, parseStorageUrl } from '../../backend/registry.js'
import type { Buckets } from '../../bucket/buckets.js'
import type { BucketConfiguration } from '../../config/configuration.js'
import type { CommandContext } from './context.js'

/** A word that names a bucket: a storage URL without a prefix, or the name alone, which is beside the configured one. */
export async function namedBucket(
  context: CommandContext,
  word: string,
): Promise<{ readonly buckets: Buckets; readonly name: string; readonly configuration: BucketConfiguration }> {
  const url = word.includes('://') ? { text: word, place: 'NAME' } : undefined
  const configuration = await context.configuration(url)
  const parsed = parseStorageUrl(configuration.url)
  // What is done to a bucket is not meant for the whole of it where a part is named.
  if (url !== undefined && parsed.scheme !== 'file' && parsed.prefix !== '')
    throw context.usage('NAME', 'a bucket without a prefix', JSON.stringify(word))
  const name = url === undefined ? word : bucketNameOf(parsed)
  return { buckets: await context.openBuckets(url), name, configuration }
}
