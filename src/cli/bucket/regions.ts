import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket regions`. */
export const regions: BucketCommand = {
  describe: command => command.description('Lists the regions in which Amazon has buckets. Sends no request.'),
  run: async context => {
    const found = (await context.openBuckets()).regions()
    if (context.output.isJson) context.output.printJson(found)
    else context.output.print(...found)
    return EXIT.done
  },
}
