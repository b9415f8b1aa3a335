import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import { isConfirmed } from './confirm.js'
import { namedBucket } from './named-bucket.js'

/** `bucket delete-bucket`. */
export const deleteBucket: BucketCommand = {
  describe: command =>
    command
      .description(
        'Deletes a bucket that is empty; with --force, all that is in it first, old versions included, which it asks about.',
      )
      .argument('<NAME>', 'its name, or a storage URL')
      .option('--force', 'delete what is in it, with all versions of it')
      .option('-y, --yes', 'do not ask'),
  run: async context => {
    const [word = ''] = context.words
    const force = context.isOn('force')
    const { buckets, name } = await namedBucket(context, word)
    if (
      force &&
      !(await isConfirmed(
        context,
        `Delete ${word} with all that is in it, old versions and deleted objects that it keeps included?`,
      ))
    )
      return EXIT.failed
    await buckets.delete(name, { force, signal: context.signal })
    return EXIT.done
  },
}
