import { bucketNameOf, parseStorageUrl } from '../../backend/registry.js'
import type { Buckets } from '../../bucket/buckets.js'
import type { BucketConfiguration } from '../../config/configuration.js'
import type { CommandContext } from './context.js'

/** A word that names a bucket: a storage URL, or the name alone, which is beside the configured one. */
export async function namedBucket(
  context: CommandContext,
  word: string,
): Promise<{ readonly buckets: Buckets; readonly name: string; readonly configuration: BucketConfiguration }> {
  const url = word.includes('://') ? { text: word, place: 'NAME' } : undefined
  const configuration = await context.configuration(url)
  const name = url === undefined ? word : bucketNameOf(parseStorageUrl(configuration.url))
  return { buckets: await context.openBuckets(url), name, configuration }
}
