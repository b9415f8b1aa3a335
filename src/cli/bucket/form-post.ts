import { CANNED_ACLS, type CannedAcl } from '../../backend/powers.js'
import { FILE_NAME } from '../../backend/signing/upload-form.js'
import { formHtml } from '../../bucket/signing.js'
import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import type { CommandContext } from './context.js'
import { collect, durationMs, pairs, sizeBytes } from './flag-values.js'

const STATUSES = [200, 201, 204] as const

/** `bucket form-post`. */
export const formPost: BucketCommand = {
  describe: command =>
    command
      .description(
        `Says the URL and the fields (NAME=VALUE) of a form with which others upload one file, without credentials: multipart/form-data by POST, the fields first and the file last, as "file". A key that ends in ${FILE_NAME} takes the name of the file.`,
      )
      .argument('<KEY>', 'the key of the file')
      .option('--expires <TIME>', 'for how long: 90s, 15m, 2h, 7d at the most (default: 1h)')
      .option('--max-size <SIZE>', 'refuse larger files')
      .option('--min-size <SIZE>', 'refuse smaller files')
      .option('--content-type <TYPE>', 'the type that the file is kept with')
      .option('--content-disposition <TEXT>', 'is kept with the file')
      .option('--cache-control <TEXT>', 'is kept with the file')
      .option('--meta <NAME=VALUE>', 'metadata that is kept with the file', collect)
      .option('--file-acl <ACL>', 'who may read the file: private, public-read, ...')
      .option('--redirect <URL>', 'where the browser goes afterwards')
      .option('--status <NUMBER>', 'what the upload is answered with: 200, 201 or 204 (default)')
      .option('--html', 'say a page with the form')
      .addHelpText(
        'after',
        `
Examples:
  bucket form-post in/avatar.png --max-size 1M --content-type image/png --html > upload.html
  bucket form-post 'in/${FILE_NAME}' --expires 10m --json`,
      ),
  run: async context => {
    const { output, signal } = context
    const expiresMs = durationMs(context, 'expires')
    const form = await (await context.openBucket()).formPost(context.words[0] ?? '', {
      ...(expiresMs !== undefined && { expiresMs }),
      maxSizeBytes: sizeBytes(context, 'maxSize', '--max-size'),
      minSizeBytes: sizeBytes(context, 'minSize', '--min-size'),
      headers: {
        contentType: context.text('contentType'),
        contentDisposition: context.text('contentDisposition'),
        cacheControl: context.text('cacheControl'),
      },
      metadata: pairs(context, 'meta'),
      acl: aclOf(context),
      redirect: redirectOf(context),
      status: statusOf(context),
      signal,
    })
    const { url, fields, expiresAtMs } = form
    if (context.isOn('html')) output.print(formHtml(form).trimEnd())
    else if (output.isJson) output.printJson({ url, fields, expires: new Date(expiresAtMs).toISOString() })
    else output.print(url, ...Object.entries(fields).map(([name, value]) => `${name}=${value}`))
    return EXIT.done
  },
}

function aclOf(context: CommandContext): CannedAcl | undefined {
  const text = context.text('fileAcl')
  const acl = CANNED_ACLS.find(each => each === text)
  if (text === undefined || acl !== undefined) return acl
  throw context.usage('--file-acl', CANNED_ACLS.join(', '), JSON.stringify(text))
}

function redirectOf(context: CommandContext): string | undefined {
  const text = context.text('redirect')
  if (text === undefined || /^https?:\/\/\S+$/.test(text)) return text
  throw context.usage('--redirect', 'an http:// or https:// URL', JSON.stringify(text))
}

function statusOf(context: CommandContext): (typeof STATUSES)[number] | undefined {
  const text = context.text('status')
  const status = STATUSES.find(each => String(each) === text)
  if (text === undefined || status !== undefined) return status
  throw context.usage('--status', '200, 201 or 204', JSON.stringify(text))
}
