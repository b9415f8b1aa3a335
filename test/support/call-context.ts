import { leaverOf } from '../../src/fs/mutex.js'
import type { CallContext } from '../../src/fs/operations.js'

/** A call of root's, given up when its signal fires. */
export function callContext(more: Partial<CallContext> = {}): CallContext {
  const { signal = new AbortController().signal } = more
  const { onAbort } = leaverOf(signal)
  return {
    uid: 0,
    gid: 0,
    pid: 0,
    umask: 0,
    ...more,
    signal,
    onAbort,
    get isAborted() {
      return signal.aborted
    },
  }
}
