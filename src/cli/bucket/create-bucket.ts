import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import { namedBucket } from './named-bucket.js'

/** `bucket create-bucket`. */
export const createBucket: BucketCommand = {
  describe: command =>
    command
      .description(
        'Makes a bucket: of S3 in the region of --region and with the ACL of --acl, or a folder beside the one that is configured.',
      )
      .argument('<NAME>', 'its name, or a storage URL')
      .addHelpText(
        'after',
        `
Examples:
  bucket create-bucket s3://photos-2026 --region eu-central-1
  bucket mb file:///srv/photos`,
      ),
  run: async context => {
    const { buckets, name, configuration } = await namedBucket(context, context.words[0] ?? '')
    const { s3 } = configuration
    await buckets.create(name, { acl: s3.acl, region: s3.region, signal: context.signal })
    return EXIT.done
  },
}
