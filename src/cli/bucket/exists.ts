import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket exists`. */
export const exists: BucketCommand = {
  describe: command =>
    command
      .description(
        'Exits with 0 where the object is there, with 3 where it is not, and says nothing unless it is asked for JSON.',
      )
      .argument('<KEY>', 'the key'),
  run: async context => {
    const [key = ''] = context.words
    const bucket = await context.openBucket()
    const isThere = await bucket.has(key, { signal: context.signal })
    if (context.output.isJson) context.output.printJson({ key, exists: isThere })
    return isThere ? EXIT.done : EXIT.notFound
  },
}
