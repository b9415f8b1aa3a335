/** What the threads run that receive ranges of objects: ranged GETs over connections of their own. */
import type { Filler } from '../filling-threads.js'
import { HttpPool, type PoolSettings } from './http/pool.js'
import { type PreparedGet, receiveRange } from './range-reply.js'
import { plainFailure } from './received.js'

export function openFiller(settings: unknown): Filler {
  const pool = new HttpPool(settings as PoolSettings)
  return {
    fill: async (request, sink, signal) => {
      const received = await receiveRange(pool, request as PreparedGet, sink, signal)
      return received.info === undefined ? plainFailure(received) : { info: received.info }
    },
  }
}
