import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket buckets`. */
export const buckets: BucketCommand = {
  describe: command =>
    command
      .description('Lists the buckets of the account, or the folders beside the configured one that are buckets.')
      .option('-l, --long', 'when they were made, too'),
  run: async context => {
    const { output, signal } = context
    const found = await (await context.openBuckets()).list({ signal })
    const rows = found.map(({ name, createdMs }) => ({
      name,
      created: createdMs === undefined ? undefined : new Date(createdMs).toISOString(),
    }))
    if (output.isJson) output.printJson(rows)
    else if (context.isOn('long'))
      output.print(...rows.map(({ name, created }) => `${created ?? ''.padEnd(24)} ${name}`))
    else output.print(...rows.map(({ name }) => name))
    return EXIT.done
  },
}
