import type { CallContext } from '../../fs/operations.js'

/** A call of nobody in particular: the package tells neither who calls nor that the caller is being killed. */
export class AnonymousCall implements CallContext {
  readonly uid = process.getuid?.() ?? 0
  readonly gid = process.getgid?.() ?? 0
  readonly pid = 0
  /** The kernel has applied it. */
  readonly umask = 0
  #controller: AbortController | undefined

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }
}
