import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import { isConfirmed } from './confirm.js'
import { tellSummary } from './several.js'

/** `bucket remove-prefix`. */
export const removePrefix: BucketCommand = {
  describe: command =>
    command
      .description(
        `Removes every object whose key begins with PREFIX: any string, so that photos removes photos2/a, too. Asks before, and does
nothing without a terminal unless --yes is given. Exits with 3 where no key begins so.`,
      )
      .argument('<PREFIX>', "what the keys begin with; '' removes all there is")
      .option('-y, --yes', 'do not ask'),
  run: async context => {
    const [prefix = ''] = context.words
    const { output, signal } = context
    const bucket = await context.openBucket()
    const { objects: first, truncated } = await bucket.list({ prefix, signal })
    if (first.length === 0) {
      output.complain(prefix === '' ? 'there are no objects' : `no key begins with ${JSON.stringify(prefix)}`)
      return EXIT.notFound
    }
    const count = truncated ? `more than ${first.length}` : String(first.length)
    const what = prefix === '' ? 'all of them' : `that begin with ${JSON.stringify(prefix)}`
    if (!(await isConfirmed(context, `Remove ${count} objects of ${bucket.url}, ${what}?`))) {
      output.complain('nothing is removed')
      return EXIT.failed
    }
    return tellSummary(output, await bucket.removePrefix(prefix, { signal }), 'removed')
  },
}
