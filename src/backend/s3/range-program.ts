/** What the threads run that receive ranges of objects: ranged GETs, signed here, over connections of their own. */
import type { Filler } from '../filling-threads.js'
import type { BucketPlace } from './bucket-place.js'
import { HttpPool, type PoolSettings } from './http/pool.js'
import { type PreparedGet, receiveRange } from './range-reply.js'
import { plainFailure } from './received.js'
import { RequestWriter } from './request-writer.js'

export interface RangeSettings {
  readonly place: BucketPlace
  readonly pool: PoolSettings
}

export function openFiller(settings: unknown): Filler {
  const { place, pool: poolSettings } = settings as RangeSettings
  const pool = new HttpPool(poolSettings)
  const writer = new RequestWriter(place)
  return {
    fill: async (request, sink, signal) => {
      const received = await receiveRange(pool, writer, request as PreparedGet, sink, signal)
      return received.info === undefined ? plainFailure(received) : { info: received.info }
    },
  }
}
