import { createSecureContext, rootCertificates } from 'node:tls'
import { onAbort } from '../../call.js'
import type { Signal } from '../../call-signal.js'
import { type ConnectionSettings, HttpConnection } from './connection.js'
import type { Exchange, HttpOrigin } from './exchange.js'
import { HttpError } from './http-error.js'
import type { ResponseHead } from './response-head.js'

export interface PoolSettings {
  readonly origin: HttpOrigin
  readonly maxSockets: number
  readonly connectTimeoutMs: number
  /** Default 15,000. */
  readonly unusedTimeoutMs?: number | undefined
  /** How often timeouts are looked at: they end up to so much late. Default 1,000. */
  readonly checkEveryMs?: number | undefined
  /** Default: the clock of this process that never jumps. */
  readonly nowMs?: (() => number) | undefined
}

interface Waiter {
  readonly grant: (connection: HttpConnection) => void
  readonly refuse: (error: unknown) => void
}

/** Servers commonly close what is unused for 20 s or more. */
const UNUSED_TIMEOUT_MS = 15_000
const CHECK_EVERY_MS = 1000

/**
 * The connections to one server. An exchange takes one that is idle, a new one while there are fewer than `maxSockets`,
 * or waits in order. Those who wait are as many as there are calls: their callers bound them.
 */
export class HttpPool {
  readonly #settings: ConnectionSettings
  readonly #maxSockets: number
  readonly #checkEveryMs: number
  readonly #all = new Set<HttpConnection>()
  /** The one that was used last is used next, so that surplus ones grow old. */
  readonly #idle: HttpConnection[] = []
  readonly #waiters = new Set<Waiter>()
  #checking: NodeJS.Timeout | undefined
  #isClosed = false
  #opened = 0

  constructor(settings: PoolSettings) {
    const { origin } = settings
    this.#settings = {
      origin,
      tls: origin.isSecure ? { context: secureContext(origin), session: undefined } : undefined,
      connectTimeoutMs: settings.connectTimeoutMs,
      unusedTimeoutMs: settings.unusedTimeoutMs ?? UNUSED_TIMEOUT_MS,
      nowMs: settings.nowMs ?? (() => performance.now()),
    }
    this.#maxSockets = settings.maxSockets
    this.#checkEveryMs = settings.checkEveryMs ?? CHECK_EVERY_MS
  }

  /** How many connections have been opened so far. */
  get openedCount(): number {
    return this.#opened
  }

  /**
   * Runs an exchange; resolves when its reply has been received as a whole. A request that may be sent again is sent again
   * when the connection, which was used before, breaks without a byte of an answer: the server had closed it.
   */
  async run(exchange: Exchange, signal?: Signal): Promise<ResponseHead> {
    for (;;) {
      signal?.throwIfAborted()
      const connection = this.#take() ?? (await this.#wait(signal))
      try {
        return await connection.run(exchange, signal)
      } catch (error) {
        if (!connection.isUsed || !connection.wasLostUnanswered || this.#isClosed) throw error
        // The others are as old: the next try, whoever makes it, is to have a new one, and is then the last here.
        for (const unused of this.#idle.splice(0)) unused.close()
        if (!exchange.request.isRepeatable) throw error
      }
    }
  }

  /** Breaks off what is under way. */
  close(): void {
    this.#isClosed = true
    const error = new HttpError('ECONNRESET', 'the store was closed')
    for (const waiter of [...this.#waiters]) waiter.refuse(error)
    for (const connection of [...this.#all]) connection.close()
  }

  #take(): HttpConnection | undefined {
    if (this.#isClosed) throw new HttpError('ECONNRESET', 'the store was closed')
    return this.#idle.pop() ?? (this.#all.size < this.#maxSockets ? this.#open() : undefined)
  }

  #wait(signal: Signal | undefined): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const settle = (run: () => void) => {
        this.#waiters.delete(waiter)
        forget()
        run()
      }
      const waiter: Waiter = {
        grant: connection => settle(() => resolve(connection)),
        refuse: error => settle(() => reject(error)),
      }
      this.#waiters.add(waiter)
      const forget = onAbort(signal, () => waiter.refuse(signal?.reason))
    })
  }

  #open(): HttpConnection {
    const connection = new HttpConnection(this.#settings, {
      becameIdle: idle => this.#hand(idle),
      closed: gone => this.#remove(gone),
    })
    this.#opened++
    this.#all.add(connection)
    this.#checking ??= setInterval(() => this.#check(), this.#checkEveryMs).unref()
    return connection
  }

  #hand(connection: HttpConnection): void {
    const [waiter] = this.#waiters
    if (waiter === undefined) this.#idle.push(connection)
    else waiter.grant(connection)
  }

  #remove(connection: HttpConnection): void {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    const [waiter] = this.#waiters
    if (waiter !== undefined && !this.#isClosed) waiter.grant(this.#open())
    if (this.#all.size > 0) return
    clearInterval(this.#checking)
    this.#checking = undefined
  }

  #check(): void {
    const nowMs = this.#settings.nowMs()
    for (const connection of [...this.#all]) connection.check(nowMs)
  }
}

function secureContext({ ca }: HttpOrigin) {
  return createSecureContext(ca === undefined ? {} : { ca: [...rootCertificates, ca] })
}
