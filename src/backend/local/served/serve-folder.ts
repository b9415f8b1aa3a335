import { createServer, type Server } from 'node:http'
import { checkedBaseUrl } from '../../cdn-url.js'
import { SILENT } from '../../log.js'
import { StoreError } from '../../store-error.js'
import { KeptTexts } from '../kept-texts.js'
import { openLayout } from '../layout.js'
import { onDisk } from '../local-errors.js'
import { LocalSigning } from '../local-signing.js'
import { type LocalStoreOptions, openLocalStore } from '../local-store.js'
import { folderHandler, type Handler } from './handler.js'

export interface FolderHandlerOptions extends Pick<LocalStoreOptions, 'create' | 'log' | 'publicUrl' | 'nowMs'> {
  /** Whatever would change the folder is refused, signed or not. Default false. */
  readonly readOnly?: boolean | undefined
}

export interface ServeOptions extends FolderHandlerOptions {
  /** Default 127.0.0.1: nobody but this machine. */
  readonly host?: string | undefined
  /** Default 0: one that is free. */
  readonly port?: number | undefined
  /** Connections at once; further ones are closed. Default 256. */
  readonly maxConnections?: number | undefined
  /** How long a connection may carry no byte. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined
}

export interface ServedFolder {
  /** Where the objects are, without a slash at its end. */
  readonly url: string
  /** Ends when what is under way has been answered, or after `idleTimeoutMs`. */
  close(): Promise<void>
}

/**
 * The request handler of a folder, for an HTTP server of your own: at the root of its URLs, so that what is before the
 * keys must have been taken away. Give `publicUrl`, or URLs can't be signed.
 */
export async function openFolderHandler(folder: string, options: FolderHandlerOptions = {}): Promise<Handler> {
  const store = await openLocalStore(folder, options)
  const nowMs = options.nowMs ?? Date.now
  const log = options.log ?? SILENT
  const layout = await onDisk('serve', undefined, () => openLayout(folder, false, nowMs(), log))
  const signing = new LocalSigning(new KeptTexts(layout), async () => options.publicUrl ?? '', nowMs)
  return folderHandler({ store, signing, isReadOnly: options.readOnly === true }, log)
}

/**
 * Serves a folder, and writes down in it where, so that whoever signs a URL meanwhile knows. Rejects with `unavailable`
 * where it can't listen.
 */
export async function serveFolder(folder: string, options: ServeOptions = {}): Promise<ServedFolder> {
  const { host = '127.0.0.1', port = 0, idleTimeoutMs = 60_000, log = SILENT } = options
  const handler = await openFolderHandler(folder, options)
  const layout = await onDisk('serve', undefined, () => openLayout(folder, false, (options.nowMs ?? Date.now)(), log))
  const texts = new KeptTexts(layout)
  // The time of a whole request has no bound: an upload takes what it takes.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 5000 }, handler)
  server.maxConnections = options.maxConnections ?? 256
  server.timeout = idleTimeoutMs
  const given = options.publicUrl && checkedBaseUrl(options.publicUrl, 'the address at which the folder is served')
  const listensAt = await listen(server, host, port)
  const base = given ?? listensAt
  await onDisk('serve', undefined, () => texts.replace('address', base))
  const close = async () => {
    if ((await texts.read('address')) === base) await texts.replace('address', undefined)
    await ended(server, idleTimeoutMs)
  }
  return { url: base, close }
}

/** Answers where it listens; of a wildcard address, where this machine reaches it. */
function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', error =>
      reject(
        new StoreError('unavailable', `can't listen on ${host}:${port}: ${error.message}`, {
          cause: error,
          retryable: false,
        }),
      ),
    )
    server.listen(port, host, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('the server has no address'))
      const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
      resolve(`http://${name}:${address.port}`)
    })
  })
}

function ended(server: Server, graceMs: number): Promise<void> {
  return new Promise(resolve => {
    const impatient = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(impatient)
      resolve()
    })
    server.closeIdleConnections()
  })
}
