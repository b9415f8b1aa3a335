import { parseStorageUrl } from '../../backend/registry.js'
import { StoreError } from '../../backend/store-error.js'
import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import type { CommandContext } from './context.js'

/** `bucket serve`. */
export const serve: BucketCommand = {
  describe: command =>
    command
      .description(
        'Serves the objects of a folder (file://) by HTTP until it is ended: public ones to everybody, all else to whom a signed URL or form permits it. An S3 store needs nothing of the kind: it answers such URLs itself.',
      )
      .option('--listen <HOST:PORT>', 'where; port 0 is any that is free (default: 127.0.0.1:0, this machine alone)')
      .addHelpText(
        'after',
        `
For others than this machine, put a proxy with TLS before it and name its address by --public-url.

Examples:
  bucket serve -b file:///srv/files --listen 127.0.0.1:8080
  bucket serve -b file:///srv/files --listen 127.0.0.1:8080 --public-url https://files.example.com`,
      ),
  run: async context => {
    const { output, signal } = context
    const { host, port } = addressOf(context)
    const { url, isEmbedded, publicUrl, mount, data, log } = await context.configuration()
    const parsed = parseStorageUrl(url)
    if (parsed.scheme !== 'file') throw new StoreError('unsupported', `${url} is no folder: only file:// can be served`)
    const { serveFolder } = await import('../../backend/local/served/serve-folder.js')
    const { LineLog, STDERR_SINK } = await import('../log-file.js')
    const served = await serveFolder(parsed.path, {
      host,
      port,
      publicUrl,
      create: isEmbedded,
      readOnly: mount.readOnly,
      idleTimeoutMs: data.timeoutMs,
      log: new LineLog(STDERR_SINK, log.level),
    })
    if (output.isJson) output.printJson({ url: served.url })
    else output.print(`serving ${url} at ${served.url}`)
    await new Promise<void>(resolve => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await served.close()
    return EXIT.done
  },
}

function addressOf(context: CommandContext): { readonly host: string; readonly port: number } {
  const text = context.text('listen') ?? '127.0.0.1:0'
  const [, bracketed, plain, digits = ''] = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = bracketed ?? plain
  if (host !== undefined && Number(digits) <= 65_535) return { host, port: Number(digits) }
  throw context.usage('--listen', 'HOST:PORT', JSON.stringify(text))
}
