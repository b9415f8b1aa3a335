import { StoreError } from '../../backend/store-error.js'
import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket cdn`. */
export const cdn: BucketCommand = {
  describe: command =>
    command
      .description(
        'Keeps with the bucket where the CDN in front of it is (S3: as the tag mount-bucket-cdn of the bucket), and says the URLs of objects there. The CDN itself is set up elsewhere.',
      )
      .argument('<WHAT>', 'enable, disable or url')
      .argument('[WORD]', "enable: the CDN's URL; url: a key, or nothing for the bucket")
      .addHelpText(
        'after',
        `
Examples:
  bucket cdn enable https://cdn.example.com
  bucket cdn url face.jpg
  bucket cdn disable`,
      ),
  run: async context => {
    const { output, signal } = context
    const [what = '', word] = context.words
    if (!['enable', 'disable', 'url'].includes(what))
      throw context.usage('WHAT', 'enable, disable or url', JSON.stringify(what))
    if (what === 'enable' && word === undefined) throw context.usage('WORD', "the CDN's URL", 'none')
    if (what === 'disable' && word !== undefined) throw context.usage('WORD', 'none', JSON.stringify(word))
    const bucket = await context.openBucket()
    if (what !== 'url') {
      await bucket.cdn.setBase(word, { signal })
      return EXIT.done
    }
    const url = await bucket.cdn.url(word ?? '', { signal })
    if (url === undefined) throw new StoreError('not-found', `${bucket.url}: no CDN is enabled (bucket cdn enable URL)`)
    if (output.isJson) output.printJson({ url })
    else output.print(url)
    return EXIT.done
  },
}
