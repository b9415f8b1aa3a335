import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import { TLS_CERTIFICATE, TLS_KEY } from '../../scripts/servers/tls-certificate.js'

/** A server that does with each connection what a test says, and what it has seen. */
export interface RawServer {
  readonly port: number
  /** In the order in which they came. */
  readonly sockets: readonly Socket[]
  /** All that came over each connection, in Latin-1. */
  readonly received: readonly string[]
  /** Whether each connection went on with the TLS session of an earlier one. */
  readonly resumed: readonly boolean[]
  close(): Promise<void>
}

/** `serve` is called for each request head, with how many came before on all connections. */
export type Serve = (socket: Socket, head: string, before: number) => void

export async function startRawServer(serve: Serve, isSecure = false): Promise<RawServer> {
  const sockets: Socket[] = []
  const received: string[] = []
  const resumed: boolean[] = []
  let heads = 0
  const take = (socket: Socket) => {
    const index = sockets.push(socket) - 1
    received[index] = ''
    resumed[index] = socket instanceof TLSSocket && socket.isSessionReused()
    let pending = ''
    socket.on('error', () => undefined)
    socket.on('data', data => {
      received[index] += data.toString('latin1')
      pending += data.toString('latin1')
      for (let end = pending.indexOf('\r\n\r\n'); end >= 0; end = pending.indexOf('\r\n\r\n')) {
        const head = pending.slice(0, end)
        pending = pending.slice(end + 4)
        if (/^(GET|HEAD|PUT|POST|DELETE) /.test(head)) serve(socket, head, heads++)
      }
    })
  }
  const server = isSecure
    ? createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE, ALPNProtocols: ['http/1.1'] }, take)
    : createServer(take)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const close = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  return { port: address.port, sockets, received, resumed, close }
}
