import type { BucketCommand } from './command.js'
import { addSyncFlags, runSync } from './sync-command.js'

const DESCRIPTION = `Fetches an object, or all objects below a prefix, where the local disk has something else.

What is the same is told as by sync-to. Files appear or change only as a whole; one whose transfer was interrupted goes on
where it stopped when the sync is run again. Nothing is written outside of the folder: keys that are no paths in it (with ..,
empty parts, a NUL, a slash at the start, too long, below another key or below a symbolic link) fail, one line each. An
empty object with a slash at the end of its key becomes a folder. When anything fails nothing is removed.`

/** `bucket sync-from`. */
export const syncFrom: BucketCommand = {
  describe: command => {
    addSyncFlags(
      command
        .description(DESCRIPTION)
        .argument('<KEY|PREFIX/>', "an object, or with a slash at its end all below; '' is the whole bucket")
        .argument('<FILE|FOLDER>', 'where to; an object also goes into a folder, under its last name'),
    ).addHelpText(
      'after',
      `
Examples:
  bucket sync-from 2024/report.pdf .              only if it differs
  bucket sync-from 2024/ photos                   2024/face.jpg becomes photos/face.jpg
  bucket sync-from 2024/ photos --delete -n       what would be fetched and removed
  bucket sync-from '' copy --json                 the whole bucket`,
    )
  },
  run: context => {
    const [source = '', local = ''] = context.words
    return runSync(context, (bucket, options) => bucket.syncFrom(source, local, options))
  },
}
