import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket public-url-folder`. */
export const publicUrlFolder: BucketCommand = {
  describe: command =>
    command
      .description('Says what stands before the keys in the URLs of public objects. Sends no request.')
      .argument('[PREFIX]', 'a folder of the bucket'),
  run: async context => {
    const bucket = await context.openBucket()
    const url = await bucket.publicUrlFolder(context.words[0], { signal: context.signal })
    if (context.output.isJson) context.output.printJson({ url })
    else context.output.print(url)
    return EXIT.done
  },
}
