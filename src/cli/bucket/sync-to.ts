import type { BucketCommand } from './command.js'
import { addSyncFlags, runSync } from './sync-command.js'

const DESCRIPTION = `Sends a file, or all files of a folder and below it, where the bucket has something else.

A file and an object are the same when they have the same size and bytes: by the ETag where that is an MD5 of the bytes or of
parts of a known size, else by a SHA-256 or SHA-1 that the store or the metadata has, else the object is fetched and compared.
Times don't count. A sync that was interrupted goes on where it stopped when it is run again.

A file that is written to meanwhile fails, and its object stays what it was. Symbolic links, pipes and devices are passed
over; a bucket has no folders, so empty ones are not sent. What can't be a key (a name that is not UTF-8, or longer than
1,024 bytes with its prefix) fails. When anything fails nothing is removed.`

/** `bucket sync-to`. */
export const syncTo: BucketCommand = {
  describe: command => {
    addSyncFlags(
      command
        .description(DESCRIPTION)
        .argument('<FILE|FOLDER>', 'what to send')
        .argument('[KEY|PREFIX]', "the key of a file (default: its name), or what goes before a folder's names"),
    ).addHelpText(
      'after',
      `
Examples:
  bucket sync-to report.pdf                       only if it differs
  bucket sync-to photos 2024                      photos/face.jpg becomes 2024/face.jpg
  bucket sync-to photos 2024 --delete --dry-run   what would be sent and removed
  bucket sync-to . backup --delete -v             for programs: --json, --progress json`,
    )
  },
  run: context => {
    const [local = '', target] = context.words
    return runSync(context, (bucket, options) => bucket.syncTo(local, target, options))
  },
}
