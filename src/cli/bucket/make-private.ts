import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket make-private`. */
export const makePrivate: BucketCommand = {
  describe: command =>
    command
      .description('Ends what make-public began. Where a policy of the bucket lets everybody read, it still does.')
      .argument('<KEY...>', 'the keys'),
  run: async context => {
    const bucket = await context.openBucket()
    for (const key of context.words) await bucket.makePrivate(key, { signal: context.signal })
    return EXIT.done
  },
}
