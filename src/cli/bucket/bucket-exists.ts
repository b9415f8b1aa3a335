import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import { namedBucket } from './named-bucket.js'

/** `bucket bucket-exists`. */
export const bucketExists: BucketCommand = {
  describe: command =>
    command
      .description(
        "Exits with 0 where the bucket is there, with 3 where it is not, with 4 where it is somebody else's, and says nothing unless it is asked for JSON.",
      )
      .argument('<NAME>', 'its name, or a storage URL'),
  run: async context => {
    const { buckets, name } = await namedBucket(context, context.words[0] ?? '')
    const exists = await buckets.has(name, { signal: context.signal })
    if (context.output.isJson) context.output.printJson({ name, exists })
    return exists ? EXIT.done : EXIT.notFound
  },
}
