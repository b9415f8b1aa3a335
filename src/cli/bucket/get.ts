import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { unlessAborted } from '../../backend/call.js'
import type { Bucket } from '../../bucket/bucket.js'
import type { BucketGetOptions } from '../../bucket/get.js'
import { keyBelow } from '../../bucket/put.js'
import { formatSizeRoughly } from '../../config/quantities.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import type { CommandContext } from './context.js'
import { fromBefore, TransferProgress } from './transfer-progress.js'

/** `bucket get`. */
export const get: BucketCommand = {
  describe: command =>
    command
      .description(
        `Fetches an object into FILE, by default a file that is named as the key, in folders that are made as needed. A folder,
such as ., keeps the last part of the key; - is standard output. The file appears or changes only as a whole, and is
checked. An interrupted download of more than 4M goes on where it stopped when the command is given again.`,
      )
      .argument('<KEY>', 'the key')
      .argument('[FILE]', 'the file, a folder, or -')
      .option('--prefix <PREFIX>', 'put this and a slash before the key')
      .option('--start-byte <NUMBER>', 'the first byte that is wanted, from 0')
      .option('--end-byte <NUMBER>', 'the last byte that is wanted: 10 to 100 are 91 bytes')
      .option('--no-verify', 'compare with no checksum')
      .addHelpText(
        'after',
        `
Examples:
  bucket get 2024/face.jpg .
  bucket get 2024/face.jpg /tmp/face.jpg --progress never
  bucket get log.txt - --start-byte 1000000 | less`,
      ),
  run: async context => {
    const [word = '', file] = context.words
    const key = keyBelow(context.text('prefix'), word)
    const progress = new TransferProgress(context.output, true)
    const options: BucketGetOptions = {
      startByte: context.count('startByte', 0),
      endByte: context.count('endByte', 0),
      verify: !context.isOff('verify'),
      onProgress: progress.callback,
      signal: context.signal,
    }
    try {
      const path = file === '-' ? undefined : await pathFor(context, key, file ?? word)
      const bucket = await context.openBucket()
      if (path === undefined) return await toStandardOutput(bucket, key, options)
      return await toFile(context, bucket, key, path, options)
    } finally {
      progress.end()
    }
  },
}

async function toFile(
  { output }: CommandContext,
  bucket: Bucket,
  key: string,
  path: string,
  options: BucketGetOptions,
): Promise<ExitCode> {
  const { sizeBytes, resumedBytes, etag } = await bucket.getFile(key, path, options)
  if (output.isJson) output.printJson({ key, file: path, size: sizeBytes, resumed: resumedBytes, etag })
  output.note(`${path} is fetched (${formatSizeRoughly(sizeBytes)}${fromBefore(resumedBytes)})`)
  return EXIT.done
}

async function toStandardOutput(bucket: Bucket, key: string, options: BucketGetOptions): Promise<ExitCode> {
  for await (const chunk of await bucket.getStream(key, options))
    if (!process.stdout.write(chunk)) await unlessAborted(once(process.stdout, 'drain'), options.signal, 'get', key)
  return EXIT.done
}

/** A folder keeps the last part of the key. Throws a ConfigurationError where the key has none that a file could have. */
async function pathFor(context: CommandContext, key: string, file: string): Promise<string> {
  const path = resolve(context.environment.workingFolder, file)
  const isFolder = file.endsWith('/') || (await stat(path).catch(() => undefined))?.isDirectory() === true
  const isKey = context.words[1] === undefined
  if (isKey && key.split('/').some(part => part === '..' || part === ''))
    throw context.usage('get', `a FILE for the key ${JSON.stringify(key)}, which is no path`, 'none')
  if (!isFolder || isKey) return path
  const name = key.split('/').at(-1) ?? ''
  if (name === '' || name === '.' || name === '..')
    throw context.usage('get', `a FILE for the key ${JSON.stringify(key)}, which has no name`, 'a folder')
  return join(path, name)
}
