import type { CallContext } from '../../fs/operations.js'

/** The user and group that what the mount shows belongs to. */
export type Owner = Pick<CallContext, 'uid' | 'gid'>

/** A call of the mount's owner: the package tells neither who calls nor that the caller is being killed. */
export class AnonymousCall implements CallContext {
  readonly uid: number
  readonly gid: number
  readonly pid = 0
  /** The kernel has applied it. */
  readonly umask = 0
  readonly isAborted = false
  #controller: AbortController | undefined

  constructor(owner: Owner) {
    this.uid = owner.uid
    this.gid = owner.gid
  }

  /** Never happens. */
  onAbort(): () => void {
    return () => undefined
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }
}
