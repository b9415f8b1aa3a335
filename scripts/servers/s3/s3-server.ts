import { setTimeout as sleep } from 'node:timers/promises'
import { readBody } from './body-reader.js'
import { Bucket } from './bucket.js'
import { type Call, parseCall } from './call.js'
import { Control } from './control.js'
import { Counters, type Counts } from './counters.js'
import type { Exchange } from './http/exchange.js'
import { HttpServer, type ServerTls } from './http/http-server.js'
import { type Fault, KnobBoard, type Knobs } from './knobs.js'
import type { Reply } from './reply.js'
import { handlerOf } from './routes.js'
import { S3Error } from './s3-error.js'
import { sendReply } from './sender.js'
import type { Service } from './service.js'
import { type Key, SignatureCheck } from './signature.js'

export interface S3ServerOptions {
  /** Default: any free one. */
  readonly port?: number
  /** Default: test / testsecret. */
  readonly keys?: readonly Key[]
  /** Unsigned requests pass. Default: they are refused. */
  readonly anonymous?: boolean
  /** Requests must be signed for it. Default: any region will do, `us-east-1` is said. */
  readonly region?: string
  /** Below this name, hosts are buckets. Default `localhost`. */
  readonly hostBase?: string
  /** Buckets that exist from the beginning. */
  readonly buckets?: readonly string[]
  /** Serves the same over HTTPS at another port. */
  readonly tls?: ServerTls
  readonly nowMs?: () => number
}

export interface S3Server {
  readonly url: string
  /** Where TLS was asked for. */
  readonly secureUrl: string | undefined
  counters(): Counts
  setKnobs(knobs: Partial<Knobs>): void
  /** Knobs and counters as at the start; what is stored stays. */
  reset(): void
  close(): Promise<void>
}

/**
 * An S3 in memory that keeps every rule which the driver leans on, counts what it is asked, and misbehaves when told to:
 * by these functions, or over HTTP by GET /_control/counters and POST /_control/ACTION: `reset`, `count` (counters only),
 * `knobs` (JSON), and for the bench `fill`, `digests` and `empty` (JSON, with `bucket`).
 */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const board = new KnobBoard()
  const counters = new Counters()
  const handler = new RequestHandler(options, board, counters)
  const listen = async (tls?: ServerTls) => {
    const server = new HttpServer(
      exchange => handler.handle(exchange),
      () => board.knobs.bytesPerSecond,
      tls,
    )
    return { server, port: await server.listen(tls === undefined ? (options.port ?? 0) : 0) }
  }
  const plain = await listen()
  const secure = options.tls && (await listen(options.tls))
  return {
    url: `http://127.0.0.1:${plain.port}`,
    secureUrl: secure && `https://127.0.0.1:${secure.port}`,
    counters: () => counters.read(),
    setKnobs: knobs => board.set(knobs),
    reset: () => {
      board.reset()
      counters.reset()
    },
    close: async () => {
      await Promise.all([plain.server.close(), secure?.server.close()])
    },
  }
}

class RequestHandler {
  readonly #board: KnobBoard
  readonly #counters: Counters
  readonly #access: SignatureCheck
  readonly #service: Service
  readonly #control: Control
  readonly #hostBase: string

  constructor(options: S3ServerOptions, board: KnobBoard, counters: Counters) {
    const nowMs = options.nowMs ?? Date.now
    this.#board = board
    this.#counters = counters
    this.#hostBase = options.hostBase ?? 'localhost'
    this.#access = new SignatureCheck({
      keys: options.keys ?? [{ accessKeyId: 'test', secretAccessKey: 'testsecret' }],
      anonymous: options.anonymous ?? false,
      region: options.region,
      nowMs,
    })
    this.#service = {
      buckets: new Map((options.buckets ?? []).map(name => [name, new Bucket(name, nowMs())])),
      get knobs() {
        return board.knobs
      },
      region: options.region ?? 'us-east-1',
      nowMs,
      readBody: call => readBody(call, !board.knobs.randomEtags, bytes => counters.received(call.operation, bytes)),
    }
    this.#control = new Control(board, counters, this.#service)
  }

  /** Never rejects: whatever goes wrong becomes an answer, or ends the connection. */
  async handle(exchange: Exchange): Promise<void> {
    try {
      if (exchange.head.url.startsWith('/_control/')) await this.#control.answer(exchange)
      else await this.#serve(exchange)
    } catch {
      // Only a connection that broke, on which nothing more can be said.
      exchange.destroy()
    }
  }

  async #serve(exchange: Exchange): Promise<void> {
    const call = this.#parse(exchange)
    const operation = call instanceof S3Error ? 'Unknown' : call.operation
    this.#counters.begin(operation)
    try {
      await this.#answer(exchange, call, operation)
    } finally {
      this.#counters.end(exchange.status)
    }
  }

  async #answer(exchange: Exchange, call: Call | S3Error, operation: string): Promise<void> {
    const fault = call instanceof S3Error ? NO_FAULT : this.#board.faultFor(operation, call.key)
    if (this.#board.knobs.latencyMs > 0) await sleep(this.#board.knobs.latencyMs)
    if (fault.dropRequest) {
      exchange.destroy()
      return
    }
    const reply = call instanceof S3Error ? errorReply(call) : await this.#reply(call, fault)
    if (fault.loseReply) {
      exchange.destroy()
      return
    }
    await sendReply(exchange, reply, fault, bytes => this.#counters.sent(operation, bytes))
  }

  #parse(exchange: Exchange): Call | S3Error {
    try {
      return parseCall(exchange, this.#hostBase)
    } catch (error) {
      if (error instanceof S3Error) return error
      throw error
    }
  }

  async #reply(call: Call, fault: Fault): Promise<Reply> {
    try {
      this.#access.check(call)
      if (fault.error !== undefined) throw faultError(fault.error)
      if (fault.errorInside !== undefined) return { ...errorReply(new S3Error(200, fault.errorInside, 'a fault')) }
      if (fault.ignoreRange) delete call.headers.range
      return await handlerOf(call)(this.#service, call)
    } catch (error) {
      if (error instanceof S3Error) return errorReply(error)
      return errorReply(new S3Error(500, 'InternalError', error instanceof Error ? error.message : String(error)))
    }
  }
}

const NO_FAULT: Fault = {}

function faultError(error: NonNullable<Fault['error']>): S3Error {
  const { retryAfterSeconds } = error
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return new S3Error(error.status, error.code, 'a fault', {}, headers as Record<string, string>)
}

function errorReply(error: S3Error): Reply {
  const headers = { 'content-type': 'application/xml', ...error.headers }
  return { status: error.status, headers, body: error.toXml() }
}
