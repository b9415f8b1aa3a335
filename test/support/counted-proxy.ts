import { type AddressInfo, createServer, connect as open, type Server, type Socket } from 'node:net'

/** Stands before a server that counts nothing: how many bytes went to it and came back, and a stop behind so many of them. */
export class CountedProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #passedBytes = 0
  #limitBytes = Number.POSITIVE_INFINITY

  private constructor(port: number, hostname: string) {
    this.#server = createServer(client => {
      const server = open(port, hostname)
      this.#pass(client, server)
      this.#pass(server, client)
    })
  }

  static async start(endpoint: string): Promise<CountedProxy> {
    const { hostname, port } = new URL(endpoint)
    const proxy = new CountedProxy(Number(port), hostname)
    await new Promise<void>(resolve => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Both ways together, since the last `reset`. */
  get passedBytes(): number {
    return this.#passedBytes
  }

  /** Nothing more goes through. */
  get isHeld(): boolean {
    return this.#passedBytes >= this.#limitBytes
  }

  /** Connections that wait are given up; so many bytes go through from here on. */
  reset(limitBytes: number = Number.POSITIVE_INFINITY): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#passedBytes = 0
    this.#limitBytes = limitBytes
  }

  async stop(): Promise<void> {
    this.reset()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.on('data', chunk => {
      if (this.isHeld) return
      this.#passedBytes += chunk.byteLength
      to.write(chunk)
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}
