import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import { onAbort } from '../../call.js'
import type { Signal } from '../../call-signal.js'
import { fillSink } from '../../fill-sink.js'
import type { ReadSink } from '../../object-store.js'
import { ChunkedBody } from './chunked-body.js'
import type { Exchange, HttpOrigin } from './exchange.js'
import { HeadReader } from './head-reader.js'
import { HttpError } from './http-error.js'
import type { ParsedHead, ResponseHead } from './response-head.js'
import { sendBody, smallMessage } from './send-body.js'

export interface TlsState {
  readonly context: SecureContext
  /** Of the connection before: it saves the next one a round trip and the server a signature. */
  session: Buffer | undefined
}

export interface ConnectionSettings {
  readonly origin: HttpOrigin
  readonly tls: TlsState | undefined
  readonly connectTimeoutMs: number
  /** A connection without an exchange is closed after so long, before the server does it. */
  readonly unusedTimeoutMs: number
  readonly nowMs: () => number
}

export interface ConnectionOwner {
  /** An exchange is over, and the next one may come. */
  becameIdle(connection: HttpConnection): void
  /** Called once; the connection is of no more use. */
  closed(connection: HttpConnection): void
}

interface Running {
  readonly exchange: Exchange
  readonly heads: HeadReader
  readonly resolve: (head: ResponseHead) => void
  readonly reject: (error: unknown) => void
  forgetSignal: () => void
  isSent: boolean
  isAnswered: boolean
  hasSurplus: boolean
  head: ParsedHead | undefined
  sink: ReadSink | undefined
  /** Of a body whose length is known: what is still to come. */
  leftBytes: number
  chunks: ChunkedBody | undefined
  isPaused: boolean
}

/** Where heads and chunked bodies arrive: used up within the callback that it is given to, so that one serves all. */
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024)

/**
 * One connection to a server, with one exchange at a time. Bodies are received straight into the sinks they are for: the
 * socket is given the free part of the sink to read into. Invariant: whoever reads into a sink holds `#running`, so that
 * nothing is written into its memory once the exchange has ended.
 */
export class HttpConnection {
  readonly #settings: ConnectionSettings
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  #running: Running | undefined
  #isConnected = false
  #isClosed = false
  #exchanges = 0
  #isLost = false
  #movedMs: number

  constructor(settings: ConnectionSettings, owner: ConnectionOwner) {
    this.#settings = settings
    this.#owner = owner
    this.#movedMs = settings.nowMs()
    this.#socket = this.#connect()
  }

  /** It has carried an exchange before, so that the server may have closed it meanwhile. */
  get isUsed(): boolean {
    return this.#exchanges > 1
  }

  /** It broke before the server had answered with a single byte. */
  get wasLostUnanswered(): boolean {
    return this.#isLost
  }

  /** Resolves when the reply has been received as a whole; its body has gone to the receiver's sink by then. */
  run(exchange: Exchange, signal: Signal | undefined): Promise<ResponseHead> {
    this.#exchanges++
    if (this.#isClosed) {
      this.#isLost = true
      return Promise.reject(new HttpError('ECONNRESET', 'the connection had ended before it was used'))
    }
    return new Promise((resolve, reject) => {
      const running: Running = {
        exchange,
        heads: new HeadReader(exchange.request.isBodiless),
        resolve,
        reject,
        forgetSignal: () => undefined,
        isSent: false,
        isAnswered: false,
        hasSurplus: false,
        head: undefined,
        sink: undefined,
        leftBytes: 0,
        chunks: undefined,
        isPaused: false,
      }
      this.#running = running
      this.#movedMs = this.#settings.nowMs()
      this.#socket.ref()
      running.forgetSignal = onAbort(signal, () => this.#fail(running, signal?.reason))
      if (this.#running === running) this.#send(running)
    })
  }

  /** Called from time to time: ends what takes too long. */
  check(nowMs: number): void {
    const { connectTimeoutMs, unusedTimeoutMs } = this.#settings
    const silentMs = nowMs - this.#movedMs
    const running = this.#running
    if (!this.#isConnected) {
      if (silentMs > connectTimeoutMs)
        this.#end(new HttpError('ConnectTimeout', `no connection within ${connectTimeoutMs} ms`))
    } else if (running === undefined) {
      if (silentMs > unusedTimeoutMs) this.close()
    } else if (!running.isPaused && silentMs > running.exchange.request.idleTimeoutMs)
      this.#end(new HttpError('TimeoutError', `no byte moved for ${running.exchange.request.idleTimeoutMs} ms`))
  }

  /** Ends an exchange, if there is one. */
  close(): void {
    this.#end(new HttpError('ECONNRESET', 'the connection was closed'))
  }

  #connect(): Socket {
    const { origin, tls } = this.#settings
    const { host, port } = origin
    const onread = {
      buffer: () => this.#nextBuffer(),
      callback: (bytes: number, buffer: Uint8Array) => this.#received(bytes, buffer),
    }
    const socket =
      tls === undefined ? connect({ host, port, onread }) : connectTls(withTls({ host, port, onread }, tls))
    socket.setNoDelay(true)
    socket.on(tls === undefined ? 'connect' : 'secureConnect', () => {
      this.#isConnected = true
      this.#movedMs = this.#settings.nowMs()
    })
    if (tls !== undefined)
      socket.on('session', (session: Buffer) => {
        tls.session = session
      })
    socket.on('error', error => this.#lost(error))
    socket.on('end', () => this.#ended())
    socket.on('close', () => this.#ended())
    return socket
  }

  #send(running: Running): void {
    const { request, body } = running.exchange
    if (body === undefined) {
      this.#socket.write(request.head, 'latin1')
      running.isSent = true
      return
    }
    let leftBytes = body.sizeBytes
    const onSent = (bytes: number) => {
      this.#movedMs = this.#settings.nowMs()
      leftBytes -= bytes
      // The source of the body may not have come to its end yet.
      if (leftBytes === 0) running.isSent = true
      body.onSent?.(bytes)
    }
    const message = smallMessage(request.head, body)
    if (message === undefined)
      sendBody(this.#socket, request.head, { ...body, onSent }).catch(error => this.#fail(running, error))
    else this.#socket.write(message, error => (error ? this.#fail(running, error) : onSent(body.sizeBytes)))
  }

  /** Called after each callback of the socket, for what it receives next. */
  #nextBuffer(): Uint8Array {
    const running = this.#running
    if (running?.sink === undefined || running.leftBytes === 0) return SCRATCH
    try {
      const free = running.sink.free()
      return free.byteLength > running.leftBytes ? free.subarray(0, running.leftBytes) : free
    } catch (error) {
      this.#fail(running, error)
      return SCRATCH
    }
  }

  /** False holds the socket back. */
  #received(bytes: number, buffer: Uint8Array): boolean {
    const running = this.#running
    this.#movedMs = this.#settings.nowMs()
    if (running === undefined) {
      // Nothing was asked.
      this.close()
      return false
    }
    running.isAnswered = true
    try {
      if (buffer === SCRATCH) this.#take(running, SCRATCH.subarray(0, bytes))
      else {
        running.leftBytes -= bytes
        running.sink?.advance(bytes)
      }
      if (this.#running === running && isComplete(running)) this.#finish(running)
    } catch (error) {
      this.#fail(running, error)
    }
    return !running.isPaused
  }

  /** Heads, chunked bodies, and what came together with a head. */
  #take(running: Running, bytes: Buffer): void {
    let rest = bytes
    if (running.head === undefined) {
      const found = running.heads.read(bytes)
      if (found === undefined) return
      rest = bytes.subarray(found.usedBytes)
      this.#begin(running, found.head)
    }
    const { chunks, sink } = running
    if (chunks !== undefined) rest = rest.subarray(chunks.read(rest))
    else if (sink !== undefined) {
      const body = rest.subarray(0, running.leftBytes)
      rest = rest.subarray(body.byteLength)
      running.leftBytes -= body.byteLength
      fillSink(sink, body)
    }
    // What comes behind the end of a reply belongs to nothing: this reply is good, the connection is not.
    if (rest.byteLength > 0) running.hasSurplus = true
  }

  #begin(running: Running, head: ParsedHead): void {
    running.head = head
    // Of anything but a refusal the end must be certain.
    if (head.framing === 'close' && head.status < 400)
      throw new HttpError('BadHttp', "the server's reply does not say where its body ends")
    const sink = running.exchange.receiver.begin(head, {
      pause: () => this.#pause(running),
      resume: () => this.#resume(running),
      cancel: () => this.#fail(running, new HttpError('ECONNRESET', 'the body was given up')),
    })
    running.sink = sink
    if (head.framing === 'chunked') running.chunks = new ChunkedBody(sink)
    else running.leftBytes = head.bodyBytes ?? Number.POSITIVE_INFINITY
  }

  #pause(running: Running): void {
    if (this.#running !== running || running.isPaused) return
    running.isPaused = true
    this.#socket.pause()
  }

  #resume(running: Running): void {
    if (!running.isPaused) return
    running.isPaused = false
    if (this.#running !== running) return
    this.#movedMs = this.#settings.nowMs()
    this.#socket.resume()
  }

  #finish(running: Running): void {
    const { head, isSent, hasSurplus } = running
    if (head === undefined) return
    // A refusal may come early; nobody can have done what was not asked in full.
    if (!isSent && head.status < 300) {
      this.#fail(running, new HttpError('BadHttp', 'the server has answered before the request had left'))
      return
    }
    this.#running = undefined
    running.forgetSignal()
    if (isSent && !hasSurplus && head.isKeptAlive && head.framing !== 'close') {
      if (running.isPaused) this.#socket.resume()
      running.isPaused = false
      this.#socket.unref()
      this.#owner.becameIdle(this)
    } else this.close()
    running.resolve(head)
  }

  #ended(): void {
    const running = this.#running
    if (running?.head?.framing === 'close') this.#finish(running)
    else this.#lost(new HttpError('ECONNRESET', 'the connection ended before the reply did'))
  }

  /** The socket ended by itself. */
  #lost(error: unknown): void {
    if (this.#running?.isAnswered === false) this.#isLost = true
    this.#end(error)
  }

  #fail(running: Running, error: unknown): void {
    if (this.#running === running) this.#end(error)
  }

  #end(error: unknown): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const running = this.#running
    this.#running = undefined
    this.#socket.destroy()
    this.#owner.closed(this)
    running?.forgetSignal()
    running?.reject(error)
  }
}

function withTls<T extends { readonly host: string }>(options: T, tls: TlsState) {
  return {
    ...options,
    secureContext: tls.context,
    ALPNProtocols: ['http/1.1'],
    // Addresses have no place in SNI (RFC 6066, 3).
    ...(isIP(options.host) === 0 && { servername: options.host }),
    ...(tls.session !== undefined && { session: tls.session }),
  }
}

function isComplete({ head, chunks, leftBytes }: Running): boolean {
  if (head === undefined) return false
  return chunks === undefined ? leftBytes === 0 : chunks.isDone
}
