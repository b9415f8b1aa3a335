import type { Log } from '../../backend/log.js'
import { type ErrnoName, errnoOf, FsError } from '../../fs/fs-error.js'
import { type Negotiation, negotiate } from '../protocol/init.js'
import { IN_HEADER_BYTES } from '../protocol/layout.js'
import type { Message } from '../protocol/message.js'
import { Opcode, opcodeName } from '../protocol/opcodes.js'
import { readInterrupt, readRetrieved } from '../protocol/requests.js'
import { GoneReaders } from './gone-readers.js'
import type { Handler, Serving } from './handlers/handler.js'
import { HANDLERS } from './handlers/table.js'
import type { Interrupts } from './interrupts.js'
import { Request } from './request.js'

export interface DispatcherOptions {
  readonly serving: Serving
  readonly interrupts: Interrupts
  readonly log: Log
  /** Only this user and root are served where set (`allow_root`). */
  readonly onlyUser: number | undefined
  onInit(outcome: Negotiation): void
  /** What the kernel holds of what was asked for; the bytes are the receiver's for the duration of the call only. */
  onRetrieved(unique: number, bytes: Uint8Array): void
}

/** Calls that change nothing: nobody misses their outcome once the mount is gone. */
const READING: ReadonlySet<number> = new Set([
  Opcode.LOOKUP,
  Opcode.GETATTR,
  Opcode.READ,
  Opcode.READDIR,
  Opcode.READDIRPLUS,
  Opcode.STATFS,
  Opcode.READLINK,
  Opcode.GETXATTR,
  Opcode.LISTXATTR,
  Opcode.LSEEK,
])

/** What other users may still do under `allow_root`: the kernel itself sends these in anybody's name. */
const UNOWNED: ReadonlySet<number> = new Set([
  Opcode.READ,
  Opcode.WRITE,
  Opcode.FSYNC,
  Opcode.FLUSH,
  Opcode.RELEASE,
  Opcode.READDIR,
  Opcode.READDIRPLUS,
  Opcode.RELEASEDIR,
  Opcode.FALLOCATE,
  Opcode.LSEEK,
  Opcode.COPY_FILE_RANGE,
  Opcode.COPY_FILE_RANGE_64,
])

/** Requests without an answer. */
const SILENT: ReadonlySet<number> = new Set([Opcode.FORGET, Opcode.BATCH_FORGET])

/** Takes each request to its handler, and its failure to an errno. Knows what is unfinished. */
export class Dispatcher {
  readonly #options: DispatcherOptions
  /** Requests between arrival and answer, by unique. */
  readonly #unfinished = new Map<number, Request>()
  readonly #goneReaders = new GoneReaders(this.#unfinished)
  #onIdle: (() => void) | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  /** `message` is only read before the return, but for what a handler keeps. */
  receive(message: Message): void {
    const request = new Request(message)
    const { opcode } = request
    const { serving } = this.#options
    const handler = HANDLERS.get(opcode)
    if (handler !== undefined) {
      if (this.#mayCall(request)) void this.#carryOut(request, message, handler)
      else serving.replies.error(request.unique, 'EACCES')
    } else if (opcode === Opcode.INTERRUPT) this.#interrupt(request, readInterrupt(message))
    else if (opcode === Opcode.NOTIFY_REPLY) this.#options.onRetrieved(request.unique, readRetrieved(message))
    else if (opcode === Opcode.INIT) this.#init(request, message)
    else if (opcode === Opcode.DESTROY) serving.replies.empty(request)
    else serving.replies.error(request.unique, 'ENOSYS')
  }

  /** After the end of the mount: resolves when the filesystem has finished what it had been given. */
  drain(): Promise<void> {
    this.#goneReaders.close()
    for (const request of this.#unfinished.values()) if (READING.has(request.opcode)) request.abort()
    if (this.#unfinished.size === 0) return Promise.resolve()
    return new Promise(resolve => {
      this.#onIdle = resolve
    })
  }

  async #carryOut(request: Request, message: Message, handler: Handler): Promise<void> {
    this.#unfinished.set(request.unique, request)
    if (request.opcode === Opcode.READ) this.#goneReaders.watch()
    try {
      await handler(request, message, this.#options.serving)
      if (request.opcode === Opcode.READ && !request.hasData) throw new FsError('EIO', 'a read ended without an answer')
    } catch (error) {
      this.#fail(request, error)
    } finally {
      this.#unfinished.delete(request.unique)
      if (this.#unfinished.size === 0) this.#onIdle?.()
    }
  }

  #fail(request: Request, error: unknown): void {
    const errno: ErrnoName = errnoOf(error)
    if (errno === 'EIO')
      this.#options.log.error('a call failed', { operation: opcodeName(request.opcode), node: request.node, error })
    if (!SILENT.has(request.opcode)) this.#options.serving.replies.error(request.unique, errno)
  }

  #mayCall(request: Request): boolean {
    const { onlyUser } = this.#options
    if (onlyUser === undefined || request.uid === onlyUser || request.uid === 0) return true
    return SILENT.has(request.opcode) || UNOWNED.has(request.opcode)
  }

  #interrupt(interrupt: Request, unique: number): void {
    const { interrupts } = this.#options
    // An INTERRUPT for what has been answered already needs no answer itself.
    const request = this.#unfinished.get(unique)
    if (request !== undefined)
      interrupts.take(request, interrupt.unique, () => this.#unfinished.get(unique) === request)
  }

  #init(request: Request, { bytes }: Message): void {
    const { replies } = this.#options.serving
    const outcome = negotiate(bytes, IN_HEADER_BYTES, replies.scratch)
    if (outcome.kind === 'too-old') replies.unsupported(request)
    else replies.init(request, outcome.replyBytes)
    this.#options.onInit(outcome)
  }
}
