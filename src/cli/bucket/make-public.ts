import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import { collect, pairs } from './flag-values.js'

/** `bucket make-public`. */
export const makePublic: BucketCommand = {
  describe: command =>
    command
      .description(
        'Lets everybody read objects, without credentials, and says their URLs. A link stays good until make-private. Headers are changed on the server; the bytes stay where they are.',
      )
      .argument('<KEY...>', 'the keys')
      .option(
        '-d, --header <NAME=VALUE>',
        'what replies to the URL have: content-type, content-encoding, content-disposition, content-language, cache-control, expires; all else is metadata, and gets x-amz-meta- before it',
        collect,
      )
      .option('--reset-headers', 'drop the headers and metadata that the objects have')
      .addHelpText(
        'after',
        `
Examples:
  bucket make-public report.pdf
  bucket make-public -d content-type=text/x-python -d purpose=example script.py`,
      ),
  run: async context => {
    const { output, signal, words } = context
    const headers = pairs(context, 'header')
    const resetHeaders = context.isOn('resetHeaders')
    const bucket = await context.openBucket()
    const urls: { readonly key: string; readonly url: string }[] = []
    for (const key of words) {
      const url = await bucket.makePublic(key, { headers, resetHeaders, signal })
      urls.push({ key, url })
      if (!output.isJson) output.print(url)
    }
    if (output.isJson) output.printJson(urls.length === 1 ? urls[0] : urls)
    return EXIT.done
  },
}
