import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { type Answer, HttpConnection } from './http-connection.js'

/** In PEM. */
export interface ServerTls {
  readonly cert: string
  readonly key: string
}

/**
 * HTTP/1.1 as far as clients of an S3 speak it. node:http costs several times as much a request, and the endpoint of a
 * bench must not be what is measured.
 */
export class HttpServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** `bytesPerSecond`: of each connection; 0: no limit. With `tls` it speaks HTTPS. */
  constructor(answer: Answer, bytesPerSecond: () => number, tls?: ServerTls) {
    const take = (socket: Socket) => {
      this.#keep(socket)
      new HttpConnection(socket, answer, bytesPerSecond)
    }
    const options = { allowHalfOpen: true }
    this.#server = tls === undefined ? createServer(options, take) : createTlsServer({ ...options, ...tls }, take)
    // Of TLS, those whose handshake is not done: a client that goes before it is would be waited for.
    this.#server.on('connection', socket => this.#keep(socket))
  }

  /** Gives the port. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port))
    })
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  close(): Promise<void> {
    return new Promise(resolve => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
    })
  }
}
