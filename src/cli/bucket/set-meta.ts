import type { MetadataChanges } from '../../bucket/metadata.js'
import { addAttachmentFlags, collected, readAttachments } from './attachment-flags.js'
import type { BucketCommand } from './command.js'
import { forEach } from './several.js'

/** `bucket set-meta`. */
export const setMeta: BucketCommand = {
  describe: command =>
    addAttachmentFlags(
      command
        .description(
          'Changes metadata and headers of objects, on the server: no bytes are sent, and what is not named stays.',
        )
        .argument('<KEY...>', 'the keys')
        .option('-u, --unset <NAME>', 'take metadata of this name away; may be repeated', collected)
        .option('--replace', 'metadata that is not named goes')
        .option('--reset-headers', 'content headers that are not named go'),
    ).addHelpText(
      'after',
      `
Examples:
  bucket set-meta face.jpg --meta reviewed=yes --unset draft
  bucket set-meta notes.txt --content-type text/markdown --cache-control no-cache`,
    ),
  run: async context => {
    const { output, signal, words } = context
    const { headers, metadata } = readAttachments(context)
    const removed = context.texts('unset').map(name => [name, null] as const)
    const changes: MetadataChanges = { ...metadata, ...Object.fromEntries(removed) }
    const isNothing = Object.keys(changes).length === 0 && Object.keys(headers).length === 0
    if (isNothing && !context.isOn('replace') && !context.isOn('resetHeaders'))
      throw context.usage('set-meta', 'something to change (--meta, --unset, --content-type, ...)', 'nothing')
    const bucket = await context.openBucket()
    const results: unknown[] = []
    const exitCode = await forEach(output, words, signal, async key => {
      const { etag } = await bucket.setMetadata(key, changes, {
        mode: context.isOn('replace') ? 'replace' : 'merge',
        headers,
        resetHeaders: context.isOn('resetHeaders'),
        signal,
      })
      results.push({ key, etag })
      output.note(`${key} is changed`)
    })
    if (output.isJson) output.printJson(words.length === 1 ? results[0] : results)
    return exitCode
  },
}
