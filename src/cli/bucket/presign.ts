import type { SignedMethod } from '../../backend/powers.js'
import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import type { CommandContext } from './context.js'
import { durationMs } from './flag-values.js'

const METHODS: Readonly<Record<string, SignedMethod>> = { get: 'GET', head: 'HEAD', put: 'PUT', delete: 'DELETE' }

/** `bucket presign`. */
export const presign: BucketCommand = {
  describe: command =>
    command
      .description(
        'Says a URL with which whoever has it reads or writes one object for a while, without credentials. Fields that must be sent with it stand on standard error; with put they are --acl, --storage-class and --sse, too.',
      )
      .argument('<WHAT>', 'get, put, head or delete')
      .argument('<KEY>', 'the key')
      .option('--expires <TIME>', 'for how long: 90s, 15m, 2h, 7d at the most (default: 1h)')
      .option('--content-disposition <TEXT>', 'get: what the reply has; put: what must be sent, and is kept')
      .option('--content-type <TYPE>', 'get: what the reply has; put: what must be sent, and is kept')
      .option('--method <METHOD>', 'the request to sign, in the place of WHAT: GET, HEAD, PUT or DELETE')
      .addHelpText(
        'after',
        `
Examples:
  bucket presign get report.pdf --expires 2h --content-disposition 'attachment; filename="report.pdf"'
  curl --upload-file face.jpg "$(bucket presign put in/face.jpg)"
  curl --header 'x-amz-acl: public-read' --upload-file face.jpg "$(bucket presign put in/face.jpg --acl public-read)"`,
      ),
  run: async context => {
    const { output, signal, words } = context
    const method = methodOf(context)
    const signed = await (await context.openBucket()).presign(words[1] ?? '', {
      method,
      ...given('expiresMs', durationMs(context, 'expires')),
      contentDisposition: context.text('contentDisposition'),
      contentType: context.text('contentType'),
      signal,
    })
    const { url, headers, expiresAtMs } = signed
    if (output.isJson) output.printJson({ url, method, headers, expires: new Date(expiresAtMs).toISOString() })
    else output.print(url)
    if (!output.isJson) for (const [name, value] of Object.entries(headers)) output.remark(`${name}: ${value}`)
    return EXIT.done
  },
}

function methodOf(context: CommandContext): SignedMethod {
  const [what = ''] = context.words
  const text = context.text('method')
  const method = METHODS[(text ?? what).toLowerCase()]
  if (METHODS[what.toLowerCase()] === undefined)
    throw context.usage('WHAT', 'get, put, head or delete', JSON.stringify(what))
  if (method === undefined) throw context.usage('--method', 'GET, HEAD, PUT or DELETE', JSON.stringify(text))
  return method
}

function given<N extends string, T>(name: N, value: T | undefined): Partial<Record<N, T>> {
  return value === undefined ? {} : ({ [name]: value } as Record<N, T>)
}
