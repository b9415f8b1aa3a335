import { resolve } from 'node:path'
import { formatSizeRoughly } from '../../config/quantities.js'
import { addAttachmentFlags, readAttachments } from './attachment-flags.js'
import type { BucketCommand } from './command.js'
import { tellSummary } from './several.js'
import { fromBefore, TransferProgress } from './transfer-progress.js'

/** `bucket put-dir`. */
export const putDir: BucketCommand = {
  describe: command =>
    addAttachmentFlags(
      command
        .description(
          `Stores all files of a folder and below it, several at once, under PREFIX, a slash and their path from the folder
on. Symbolic links are not followed. What a file fails with does not end the others. Large files that were interrupted
go on where they stopped, as with put; all others are sent again (sync-to sends what differs).`,
        )
        .argument('<FOLDER>', 'the folder')
        .argument('[PREFIX]', 'what keys begin with; default: nothing')
        .option('--no-checksum', 'keep no SHA-256 of files that are sent in parts'),
    ).addHelpText(
      'after',
      '\nExamples:\n  bucket put-dir photos 2024\n  bucket put-dir site --cache-control max-age=60',
    ),
  run: async context => {
    const [folder = '', prefix = ''] = context.words
    const { output, signal } = context
    const { headers, metadata } = readAttachments(context)
    const { contentType, ...others } = headers
    if (contentType !== undefined) throw context.usage('--content-type', 'no type for a whole folder', contentType)
    const bucket = await context.openBucket()
    const progress = new TransferProgress(output, false)
    const summary = await bucket
      .putFolder(resolve(context.environment.workingFolder, folder), prefix, {
        headers: others,
        metadata,
        checksum: !context.isOff('checksum'),
        onProgress: progress.callback,
        onStored: result => {
          if (progress.hasBar) return
          const resumed = fromBefore(result.resumedBytes)
          output.note(resumed === '' ? result.key : `${result.key} (${formatSizeRoughly(result.sizeBytes)}${resumed})`)
        },
        signal,
      })
      .finally(() => progress.end())
    return tellSummary(output, summary, 'stored')
  },
}
