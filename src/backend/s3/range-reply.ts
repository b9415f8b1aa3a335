import type { Signal } from '../call-signal.js'
import type { ByteRange, ObjectInfo, ReadSink } from '../object-store.js'
import { checkWholeRange } from '../range.js'
import { StoreError } from '../store-error.js'
import type { Attempt } from './errors.js'
import { ExactSink } from './exact-sink.js'
import type { HttpPool } from './http/pool.js'
import type { ResponseHead } from './http/response-head.js'
import { type Received, receiveReply } from './received.js'
import { readExtent, readInfo } from './replies.js'
import type { RequestWriter, UnsignedRequest } from './request-writer.js'

/** What the reply to a GET must fit. */
export interface Asked {
  readonly key: string
  readonly range: ByteRange | undefined
  readonly ifMatch: string | undefined
}

/** A GET that is ready to be run once, by any thread. Plain data: what is sent, and what the reply must fit. */
export interface PreparedGet extends Asked {
  readonly request: UnsignedRequest
  readonly range: ByteRange
}

/** Checks the head of a GET's reply against what was asked for. */
export function readGet(
  head: ResponseHead,
  { key, range, ifMatch }: Asked,
  attempt: Attempt,
): { readonly info: ObjectInfo; readonly bodyBytes: number } {
  const { status, fields } = head
  const extent = readExtent(range, status, fields['content-range'], head.bodyBytes, attempt)
  const info = readInfo(key, extent.objectBytes, fields, attempt)
  if (ifMatch !== undefined && info.etag !== ifMatch)
    throw new StoreError('precondition-failed', 'get: the object is another version', { key, operation: 'get' })
  return { info, bodyBytes: extent.bodyBytes }
}

export interface ReceivedRange extends Received {
  /** Of a range that has come as a whole. */
  readonly info?: ObjectInfo | undefined
}

/**
 * Runs a GET of a range that must lie within the object as a whole. Its bytes go into the sink once the head of the reply
 * has passed the checks. Never rejects.
 */
export async function receiveRange(
  pool: HttpPool,
  writer: RequestWriter,
  get: PreparedGet,
  sink: ReadSink,
  signal: Signal | undefined,
): Promise<ReceivedRange> {
  const attempt: Attempt = { operation: 'get', key: get.key, reads: true, signal }
  let counting: ExactSink | undefined
  let info: ObjectInfo | undefined
  const accept = (head: ResponseHead) => {
    const found = readGet(head, get, attempt)
    checkWholeRange(get.range, found.info.sizeBytes, 'get', get.key)
    info = found.info
    if (head.bodyBytes !== undefined) return sink
    counting = new ExactSink(sink, found.bodyBytes, attempt)
    return counting
  }
  try {
    const received = await receiveReply(pool, { request: writer.write(get.request) }, accept, signal)
    if (received.head === undefined) return received
    counting?.finish()
    return { ...received, info }
  } catch (error) {
    return { error }
  }
}
