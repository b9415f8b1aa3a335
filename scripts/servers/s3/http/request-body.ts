import type { Socket } from 'node:net'
import type { BodyFraming } from './body-framing.js'
import type { Pace } from './pace.js'

/** The body of one request: it waits in the socket until somebody reads it. */
export class RequestBody {
  readonly #socket: Socket
  readonly #framing: BodyFraming
  readonly #pace: Pace
  readonly #bytesPerSecond: () => number
  /** What came before there was a reader: the rest of one chunk of the socket. */
  #held: Buffer[] = []
  #reader: ((piece: Buffer) => void) | undefined
  #isWaiting = false
  readonly #ended: Promise<void>
  #resolve = () => {}
  #reject = (_: Error) => {}

  constructor(socket: Socket, framing: BodyFraming, pace: Pace, bytesPerSecond: () => number) {
    this.#socket = socket
    this.#framing = framing
    this.#pace = pace
    this.#bytesPerSecond = bytesPerSecond
    this.#ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever reads is told; when nobody does, nobody has to know.
    this.#ended.catch(() => {})
  }

  /** No more bytes of the socket belong to it. */
  get isWhole(): boolean {
    return this.#framing.isWhole
  }

  /** What came over the socket; gives how many bytes of it were used. */
  take(chunk: Buffer): number {
    const used = this.#framing.take(chunk, piece => {
      if (this.#reader === undefined) this.#held.push(piece)
      else this.#reader(piece)
    })
    if (this.#reader === undefined) this.#socket.pause()
    else this.#spend(used)
    return used
  }

  /** Gives it to `reader` piece by piece; resolves when it was whole, rejects when the connection ends before. */
  read(reader: (piece: Buffer) => void): Promise<void> {
    this.#reader = reader
    const held = this.#held
    this.#held = []
    for (const piece of held) reader(piece)
    this.#socket.resume()
    this.#spend(held.reduce((sum, piece) => sum + piece.byteLength, 0))
    return this.#ended
  }

  /** Reads what is left for nobody. */
  skip(): Promise<void> {
    if (this.#reader === undefined) return this.read(() => {})
    this.#reader = () => {}
    return this.#ended
  }

  fail(cause: Error): void {
    this.#reject(cause)
  }

  #spend(bytes: number): void {
    const waitMs = this.#pace.spend(bytes, this.#bytesPerSecond())
    if (waitMs < 1) {
      this.#settle()
      return
    }
    this.#isWaiting = true
    this.#socket.pause()
    setTimeout(() => {
      this.#isWaiting = false
      this.#socket.resume()
      this.#settle()
    }, waitMs)
  }

  #settle(): void {
    if (this.#framing.isWhole && !this.#isWaiting) this.#resolve()
  }
}
