import type { Command } from 'commander'
import type { Bucket } from '../../bucket/bucket.js'
import type { BucketCopyOptions } from '../../bucket/copy.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import { addAttachmentFlags, readAttachments } from './attachment-flags.js'
import type { BucketCommand } from './command.js'
import type { CommandContext } from './context.js'
import { placesOf } from './places.js'
import { tellSummary } from './several.js'
import { TransferProgress } from './transfer-progress.js'

const ABOUT = `SOURCE and TARGET are keys, or URLs of objects in other buckets (s3://other/key, file:///folder/key). Within a bucket and
between those of one endpoint the server does it, whatever the size; else the bytes go through this machine. TARGET/ keeps the last part of the key.
Metadata and headers are kept, but for those that are given: --meta is in the place of all metadata.`

/** `bucket cp`. */
export const cp: BucketCommand = {
  describe: command =>
    describe(
      command.description(`Copies an object, or with -r all below a prefix. ${ABOUT}`),
      `
Examples:
  bucket cp 2024/face.jpg 2025/
  bucket cp -r 2024 archive/2024
  bucket cp report.pdf s3://other/report.pdf --cache-control no-cache`,
    ),
  run: context => transfer(context, 'copy'),
}

/** `bucket mv`. */
export const mv: BucketCommand = {
  describe: command =>
    describe(
      command.description(
        `Moves an object, or with -r all below a prefix: at every moment one of the two keys has it. ${ABOUT}`,
      ),
      '\nExamples:\n  bucket mv draft.txt final.txt\n  bucket mv -r 2024 archive/2024',
    ),
  run: context => transfer(context, 'move'),
}

function describe(command: Command, examples: string): Command {
  return addAttachmentFlags(
    command
      .argument('<SOURCE>', 'what to take')
      .argument('<TARGET>', 'where to')
      .option('-r, --recursive', 'all below SOURCE and a slash, to below TARGET and a slash')
      .option('--if-none-match', 'only if there is no such object'),
  ).addHelpText('after', examples)
}

async function transfer(context: CommandContext, operation: 'copy' | 'move'): Promise<ExitCode> {
  const [source = '', target = ''] = context.words
  const { headers, metadata } = readAttachments(context)
  const isRecursive = context.isOn('recursive')
  const { from, to } = await placesOf(context, source, target)
  const progress = new TransferProgress(context.output, !isRecursive)
  const options: BucketCopyOptions = {
    headers,
    metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    ifNoneMatch: context.isOn('ifNoneMatch') ? '*' : undefined,
    onProgress: progress.callback,
    signal: context.signal,
  }
  const at = (key: string) => (from.bucket === to.bucket ? key : { bucket: to.bucket, key })
  try {
    if (isRecursive) return await all(context, operation, from, at(withSlash(to.key)), options)
    const name = from.key.split('/').at(-1) ?? ''
    const key = to.key === '' || to.key.endsWith('/') ? to.key + name : to.key
    const { sizeBytes, etag } = await from.bucket[operation](from.key, at(key), options)
    if (context.output.isJson) context.output.printJson({ from: from.key, to: key, size: sizeBytes, etag })
    context.output.note(`${from.key} is ${operation === 'copy' ? 'copied' : 'moved'} to ${key}`)
    return EXIT.done
  } finally {
    progress.end()
  }
}

async function all(
  { output }: CommandContext,
  operation: 'copy' | 'move',
  from: { readonly bucket: Bucket; readonly key: string },
  to: Parameters<Bucket['copyFolder']>[1],
  options: BucketCopyOptions,
): Promise<ExitCode> {
  const call = operation === 'copy' ? 'copyFolder' : 'moveFolder'
  const summary = await from.bucket[call](withSlash(from.key), to, options)
  return tellSummary(output, summary, operation === 'copy' ? 'copied' : 'moved')
}

function withSlash(prefix: string): string {
  return prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
}
