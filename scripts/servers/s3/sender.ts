import { setTimeout as sleep } from 'node:timers/promises'
import { Content } from './content.js'
import type { Exchange } from './http/exchange.js'
import type { Fault } from './knobs.js'
import type { Reply } from './reply.js'

/** Sends a reply, with what its fault does to it. */
export async function sendReply(
  exchange: Exchange,
  reply: Reply,
  fault: Fault,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const content = contentOf(reply.body)
  const lengthBytes = (reply.announcedBytes ?? content.sizeBytes) + (fault.wrongLengthBytes ?? 0)
  const hasNoLength = reply.status === 204 || reply.status === 304
  exchange.writeHead(
    reply.status,
    hasNoLength ? (reply.headers ?? {}) : { ...reply.headers, 'content-length': lengthBytes },
  )
  if (exchange.head.method === 'HEAD' || content.sizeBytes === 0) {
    if (fault.stallMs !== undefined) await sleep(fault.stallMs, undefined, { ref: false })
    exchange.end()
    return
  }
  const sent = broken(content, fault)
  // A stall holds the last byte back.
  const early = fault.stallMs === undefined ? sent : sent.slice(0, content.sizeBytes - 1)
  let isThere = early.sizeBytes === 0 || (await exchange.write(early.pieces, onBytes))
  if (isThere && early !== sent) {
    await sleep(fault.stallMs, undefined, { ref: false })
    isThere = await exchange.write(sent.slice(early.sizeBytes, sent.sizeBytes).pieces, onBytes)
  }
  if (!isThere) return
  if (fault.cutAfterBytes !== undefined || fault.wrongLengthBytes !== undefined) exchange.breakOff()
  else exchange.end()
}

function contentOf(body: Reply['body']): Content {
  if (body === undefined) return Content.EMPTY
  return typeof body === 'string' ? new Content([Buffer.from(body)]) : body
}

function broken(content: Content, fault: Fault): Content {
  const end = fault.cutAfterBytes ?? content.sizeBytes
  const sent = content.slice(0, end)
  if (!fault.wrongBytes || sent.sizeBytes === 0) return sent
  const last = Buffer.concat(sent.slice(sent.sizeBytes - 1, sent.sizeBytes).pieces)
  return Content.joined([sent.slice(0, sent.sizeBytes - 1), new Content([Buffer.from([255 - (last[0] ?? 0)])])])
}
