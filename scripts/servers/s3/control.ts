import { Bucket } from './bucket.js'
import type { Call } from './call.js'
import type { Counters } from './counters.js'
import { type DigestRequest, digestsOf, type FillRequest, fill } from './filling.js'
import type { Exchange } from './http/exchange.js'
import type { KnobBoard, Knobs } from './knobs.js'
import type { Service } from './service.js'

/** What is done by /_control/: what the server is told to be, and what it tells of itself. */
export class Control {
  readonly #board: KnobBoard
  readonly #counters: Counters
  readonly #service: Service

  constructor(board: KnobBoard, counters: Counters, service: Service) {
    this.#board = board
    this.#counters = counters
    this.#service = service
  }

  /** Throws on a body that is no JSON. */
  async answer(exchange: Exchange): Promise<void> {
    const pieces: Buffer[] = []
    await exchange.readBody(piece => void pieces.push(piece))
    const text = Buffer.concat(pieces).toString()
    const said = this.#carryOut(`${exchange.head.method} ${exchange.head.url.slice('/_control/'.length)}`, text)
    const body = Buffer.from(JSON.stringify(said ?? { error: 'no such action' }))
    const headers = { 'content-type': 'application/json', 'content-length': body.byteLength }
    exchange.writeHead(said === undefined ? 404 : 200, headers)
    await exchange.write([body], () => {})
    exchange.end()
  }

  /** Undefined: there is no such action. */
  #carryOut(action: string, text: string): unknown {
    if (action === 'POST knobs') this.#board.set(JSON.parse(text) as Partial<Knobs>)
    else if (action === 'POST reset') {
      this.#board.reset()
      this.#counters.reset()
    } else if (action === 'POST count') this.#counters.reset()
    else if (action === 'POST fill')
      return fill(this.#bucket(text), JSON.parse(text) as FillRequest, this.#service.nowMs())
    else if (action === 'POST digests') return digestsOf(this.#bucket(text), JSON.parse(text) as DigestRequest)
    else if (action === 'POST empty') this.#empty(text)
    else if (action !== 'GET counters') return undefined
    return this.#counters.read()
  }

  /** The bucket that the body names; made if it is not there. */
  #bucket(text: string): Bucket {
    const { bucket: name } = JSON.parse(text) as Pick<Call, 'bucket'>
    const present = this.#service.buckets.get(name)
    if (present !== undefined) return present
    const made = new Bucket(name, this.#service.nowMs())
    this.#service.buckets.set(name, made)
    return made
  }

  /** Objects and uploads are gone, the bucket stays. */
  #empty(text: string): void {
    const { name } = this.#bucket(text)
    this.#service.buckets.set(name, new Bucket(name, this.#service.nowMs()))
  }
}
