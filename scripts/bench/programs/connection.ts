import { connect, type Socket } from 'node:net'

const HEAD_END = Buffer.from('\r\n\r\n')
const RECEIVE_BYTES = 512 * 1024

export interface Answer {
  readonly status: number
  readonly bodyBytes: number
}

/** One keep-alive HTTP connection that throws bodies away: as little work as a reader can do. */
export class Connection {
  readonly #socket: Socket
  /** Of the answer under way, until its head is whole. */
  #head = ''
  #status = 0
  #bodyBytes = 0
  #leftBytes = -1
  #done: ((answer: Answer) => void) | undefined
  #failed: ((error: Error) => void) | undefined

  constructor(url: URL) {
    const buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES)
    this.#socket = connect({
      host: url.hostname,
      port: Number(url.port),
      noDelay: true,
      onread: {
        buffer,
        callback: bytes => {
          this.#take(buffer, bytes)
          return true
        },
      },
    })
    this.#socket.on('error', error => this.#failed?.(error))
    this.#socket.on('close', () => this.#failed?.(new Error('the endpoint closed the connection')))
  }

  /** Sends a finished request; resolves when the body has come. One at a time. */
  request(text: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
      this.#socket.write(text, 'latin1')
    })
  }

  close(): void {
    this.#failed = undefined
    this.#socket.destroy()
  }

  #take(buffer: Buffer, bytes: number): void {
    if (this.#leftBytes >= 0) {
      this.#leftBytes -= bytes
    } else {
      const end = buffer.subarray(0, bytes).indexOf(HEAD_END)
      this.#head += buffer.toString('latin1', 0, end < 0 ? bytes : end)
      if (end < 0) return
      this.#parseHead()
      this.#leftBytes = this.#bodyBytes - (bytes - end - HEAD_END.byteLength)
    }
    if (this.#leftBytes > 0) return
    this.#leftBytes = -1
    this.#done?.({ status: this.#status, bodyBytes: this.#bodyBytes })
  }

  #parseHead(): void {
    this.#status = Number(this.#head.slice(9, 12))
    this.#bodyBytes = Number(/\ncontent-length: *(\d+)/i.exec(this.#head)?.[1] ?? 0)
    this.#head = ''
  }
}
