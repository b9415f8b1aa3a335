import createDebug from 'debug'
import { onAbort } from './call.js'
import type { Signal } from './call-signal.js'

const debug = createDebug('mount-bucket:body')

/**
 * A body that holds something (a slot, a file, a connection). `bytes` must call `close` when it ends; here it is also
 * called when the body is given up, or the signal fires, before anybody has begun to read it: a generator that was
 * never started runs none of its `finally`. `close` may be called more than once.
 */
export function closableBody(
  bytes: AsyncGenerator<Uint8Array>,
  close: () => Promise<void>,
  signal?: Signal,
): AsyncIterable<Uint8Array> {
  let started = false
  const forget = onAbort(signal, () => {
    if (!started) close().catch((error: unknown) => debug('closing an aborted body failed: %o', error))
  })
  const start = () => {
    started = true
    forget()
  }
  const iterator: AsyncIterator<Uint8Array> = {
    next() {
      start()
      return bytes.next()
    },
    async return() {
      if (!started) await close()
      start()
      return bytes.return(undefined)
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

/** Gives up a body that nobody wants to read. */
export async function discardBody(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.()
}
