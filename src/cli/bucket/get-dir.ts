import { resolve } from 'node:path'
import { formatSizeRoughly } from '../../config/quantities.js'
import type { ExitCode } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import type { CommandContext } from './context.js'
import { tellSummary } from './several.js'
import { TransferProgress } from './transfer-progress.js'

const ABOUT = `Folders are made as needed, files of the same names are replaced, each as a whole; each is checked. What would
go through a symbolic link in the folder is refused. What an object fails with does not end the others. Exits with 3 where no key begins so.`

/** `bucket get-dir`. */
export const getDir: BucketCommand = {
  describe: command =>
    command
      .description(`Fetches all objects below PREFIX and a slash into a folder, several at once. ${ABOUT}`)
      .argument('<PREFIX>', 'what the keys begin with, up to a slash')
      .argument('[FOLDER]', 'where they go; default: a folder that is named as the last part of PREFIX')
      .option('--no-verify', 'compare with no checksum'),
  run: context => {
    const [word = '', folder] = context.words
    const prefix = word === '' || word.endsWith('/') ? word : `${word}/`
    return fetchAll(context, prefix, folder ?? (prefix.split('/').at(-2) || '.'))
  },
}

/** `bucket get-all`. */
export const getAll: BucketCommand = {
  describe: command =>
    command
      .description(
        `Fetches all objects whose keys begin with --prefix, or all there are, several at once; their keys are the paths. ${ABOUT}`,
      )
      .argument('[FOLDER]', 'where they go; default: the working folder')
      .option('--prefix <PREFIX>', 'only keys that begin with this and a slash, without which they go into the folder')
      .option('--no-verify', 'compare with no checksum'),
  run: context => {
    const prefix = context.text('prefix') ?? ''
    return fetchAll(context, prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`, context.words[0] ?? '.')
  },
}

async function fetchAll(context: CommandContext, prefix: string, folder: string): Promise<ExitCode> {
  const { output, signal, environment } = context
  const bucket = await context.openBucket()
  const progress = new TransferProgress(output, false)
  const summary = await bucket
    .getFolder(prefix, resolve(environment.workingFolder, folder), {
      verify: !context.isOff('verify'),
      onProgress: progress.callback,
      onFetched: ({ key, sizeBytes }) => {
        if (!progress.hasBar) output.note(`${key} (${formatSizeRoughly(sizeBytes)})`)
      },
      signal,
    })
    .finally(() => progress.end())
  return tellSummary(output, summary, 'fetched')
}
