import { tellAll } from '../../backend/call-signal.js'
import type { CallContext } from '../../fs/operations.js'
import type { Message } from '../protocol/message.js'
import { readUint64 } from '../protocol/uint64.js'

/** One request of the kernel from its arrival to its answer: the header, and the call as the filesystem sees it. */
export class Request implements CallContext {
  readonly opcode: number
  readonly unique: number
  readonly node: number
  readonly uid: number
  readonly gid: number
  readonly pid: number
  /** The kernel applies the umask (DONT_MASK is not negotiated). */
  readonly umask = 0
  /** A READ's bytes have been sent. */
  hasData = false
  #controller: AbortController | undefined
  #aborted = false
  /** Called when the call is given up. */
  #leaving: Set<() => void> | undefined

  /** Reads fuse_in_header. */
  constructor({ numbers }: Message) {
    this.opcode = numbers.getUint32(4, true)
    this.unique = readUint64(numbers, 8)
    this.node = readUint64(numbers, 16)
    this.uid = numbers.getUint32(24, true)
    this.gid = numbers.getUint32(28, true)
    this.pid = numbers.getUint32(32, true)
  }

  /** Made when somebody asks for it: most calls end without. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort()
    }
    return this.#controller.signal
  }

  get isAborted(): boolean {
    return this.#aborted
  }

  onAbort(run: () => void): () => void {
    this.#leaving ??= new Set()
    this.#leaving.add(run)
    return () => void this.#leaving?.delete(run)
  }

  abort(): void {
    this.#aborted = true
    this.#controller?.abort()
    if (this.#leaving !== undefined) tellAll(this.#leaving)
    this.#leaving = undefined
  }
}
