import { basename, resolve } from 'node:path'
import type { Bucket } from '../../bucket/bucket.js'
import { keyBelow, type PutFileOptions, type PutResult } from '../../bucket/put.js'
import { formatSizeRoughly } from '../../config/quantities.js'
import { addAttachmentFlags, readAttachments } from './attachment-flags.js'
import type { BucketCommand } from './command.js'
import type { CommandContext } from './context.js'
import { forEach } from './several.js'
import { fromBefore, TransferProgress } from './transfer-progress.js'

/** `bucket put`. */
export const put: BucketCommand = {
  describe: command =>
    addAttachmentFlags(
      command
        .description(
          `Stores a file under KEY, by default under its own name; - is standard input. KEY/ keeps the name of the file.
Three words and more are all files, and so are two with --files. An object appears whole or not at all.
A file that is changed, renamed or linked while it is read is not stored.
A large file that was interrupted goes on where it stopped when the command is given again, for a week and as long as
the file and what is stored with it stay the same; standard input begins anew.
--acl, --storage-class and --sse hold for what is stored.`,
        )
        .argument('<FILE...>', 'the file, and the key: FILE [KEY], or FILE FILE FILE...')
        .option('--prefix <PREFIX>', 'put this and a slash before the key')
        .option('--files', 'all words are files')
        .option('--no-checksum', 'keep no SHA-256 of files that are sent in parts')
        .option('--if-none-match', 'only if there is no such object'),
    ).addHelpText(
      'after',
      `
Examples:
  bucket put face.jpg
  bucket put face.jpg 2024/face.jpg --meta camera=M6 --cache-control max-age=3600
  pg_dump db | bucket put - backup/db.sql --content-type application/sql
  bucket put --prefix 2024 *.jpg`,
    ),
  run: async context => {
    const sources = sourcesOf(context)
    const { headers, metadata } = readAttachments(context)
    const { contentType, ...others } = headers
    const bucket = await context.openBucket()
    const progress = new TransferProgress(context.output, sources.length === 1)
    const options: PutFileOptions = {
      contentType,
      headers: others,
      metadata,
      checksum: !context.isOff('checksum'),
      ifNoneMatch: context.isOn('ifNoneMatch') ? '*' : undefined,
      onProgress: progress.callback,
      signal: context.signal,
    }
    const results: PutResult[] = []
    try {
      return await forEach(context.output, sources, context.signal, async source => {
        const result = await store(context, bucket, source, options)
        results.push(result)
        context.output.note(
          `${result.key} is stored (${formatSizeRoughly(result.sizeBytes)}${fromBefore(result.resumedBytes)})`,
        )
      })
    } finally {
      progress.end()
      if (context.output.isJson && results.length > 0)
        context.output.printJson(sources.length === 1 ? resultJson(results[0]) : results.map(resultJson))
    }
  },
}

interface Source {
  readonly file: string
  readonly key: string
}

function sourcesOf(context: CommandContext): readonly Source[] {
  const { words } = context
  const prefix = context.text('prefix')
  const areFiles = words.length > 2 || context.isOn('files')
  const pairs = areFiles ? words.map(file => [file, undefined] as const) : [[words[0] ?? '', words[1]] as const]
  return pairs.map(([file, given]) => {
    if (file === '-' && (given === undefined || given.endsWith('/')))
      throw context.usage('put', 'a KEY for standard input', 'none')
    const key = given === undefined ? basename(file) : given.endsWith('/') ? given + basename(file) : given
    return { file, key: keyBelow(prefix, key) }
  })
}

async function store(
  { environment }: CommandContext,
  bucket: Bucket,
  { file, key }: Source,
  options: PutFileOptions,
): Promise<PutResult> {
  if (file === '-') return bucket.put(key, process.stdin, options)
  return bucket.putFile(resolve(environment.workingFolder, file), key, options)
}

function resultJson(result: PutResult | undefined): unknown {
  if (result === undefined) return undefined
  const { key, sizeBytes, resumedBytes, etag, contentType, versionId } = result
  return { key, size: sizeBytes, resumed: resumedBytes, etag, 'content-type': contentType, 'version-id': versionId }
}
