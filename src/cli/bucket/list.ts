import { entriesOf, type ListedEntry, type Listing } from '../../bucket/listing.js'
import { formatSizeRoughly } from '../../config/quantities.js'
import { EXIT } from '../exit-codes.js'
import { tableLines } from '../table-lines.js'
import type { BucketCommand } from './command.js'

const TRUNCATED = '...Results are truncated...'

/** One less than a request brings: the next one tells whether there are more. */
const PAGE_KEYS = 999

/** `bucket list`. */
export const list: BucketCommand = {
  describe: command =>
    command
      .description(
        'Lists keys in their order (by UTF-8 bytes): up to --max-keys of them. Where there are more, a line on standard error says so.',
      )
      .argument('[PREFIX]', 'as --prefix')
      .option('--prefix <PREFIX>', 'only keys that begin with this; any string')
      .option('--marker <KEY>', 'only what stands behind this key')
      .option('--max-keys <NUMBER>', 'keys and folders at the most (default: 1000)')
      .option('--all', 'all of them, however many')
      .option('-d, --delimiter', 'show keys with a / behind the prefix as one folder')
      .option('-l, --long', 'size, time and storage class, too')
      .addHelpText(
        'after',
        `
Examples:
  bucket list
  bucket ls -l --prefix 2024/ -d
  bucket list --max-keys 100 --marker 2024/face.jpg`,
      ),
  run: async context => {
    const { output, signal } = context
    const isLong = context.isOn('long')
    const prefix = context.text('prefix') ?? context.words[0]
    const isAll = context.isOn('all')
    const maxKeys = isAll ? Number.POSITIVE_INFINITY : context.count('maxKeys', 1)
    const bucket = await context.openBucket()
    const delimiter = context.isOn('delimiter') ? ('/' as const) : undefined
    const asked = { prefix, marker: context.text('marker'), delimiter, signal }
    const linesOf = isLong ? longLines : shortLines
    if (isAll && !output.isJson) {
      // Of millions of keys no more than a page is held.
      for (let page = await bucket.list({ ...asked, maxKeys: PAGE_KEYS }); ; ) {
        await output.printed(...linesOf(page))
        if (!page.truncated) return EXIT.done
        page = await bucket.list({ ...asked, maxKeys: PAGE_KEYS, marker: page.next })
      }
    }
    const listing = await bucket.list({ ...asked, maxKeys })
    if (output.isJson) output.printJson(listingJson(listing))
    else output.print(...linesOf(listing))
    if (listing.truncated) output.remark(TRUNCATED)
    return EXIT.done
  },
}

function shortLines({ objects, folders }: Listing): readonly string[] {
  return entriesOf(objects, folders).map(entry => ('folder' in entry ? entry.folder : entry.key))
}

function longLines({ objects, folders }: Listing): readonly string[] {
  return tableLines(entriesOf(objects, folders).map(longRow))
}

function longRow(entry: ListedEntry): readonly string[] {
  if ('folder' in entry) return ['', '', '', entry.folder]
  const time = new Date(entry.lastModifiedMs).toISOString().slice(0, 19).replace('T', ' ')
  return [formatSizeRoughly(entry.sizeBytes), time, entry.storageClass ?? '', entry.key]
}

function listingJson({ objects, folders, truncated, next }: Listing): unknown {
  return {
    objects: objects.map(({ key, sizeBytes, etag, lastModifiedMs, storageClass }) => ({
      key,
      size: sizeBytes,
      etag,
      'last-modified': new Date(lastModifiedMs).toISOString(),
      'storage-class': storageClass,
    })),
    folders,
    truncated,
    next,
  }
}
