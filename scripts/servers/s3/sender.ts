import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Content } from './content.js'
import type { Fault } from './knobs.js'
import type { Reply } from './reply.js'

export interface SendOptions {
  readonly fault: Fault
  /** 0: no limit. */
  readonly bytesPerSecond: number
  /** No body goes out. */
  readonly headOnly: boolean
  onBytes(bytes: number): void
}

/** So many pieces of a body go into one write of the socket. */
const PIECES_AT_ONCE = 16
/** Pieces under a bandwidth limit: small enough for an even flow. */
const LIMITED_PIECE_BYTES = 64 * 1024

/** Sends a reply, with what its fault does to it. */
export async function sendReply(response: ServerResponse, reply: Reply, options: SendOptions): Promise<void> {
  const { fault } = options
  const content = contentOf(reply.body)
  const lengthBytes = (reply.announcedBytes ?? content.sizeBytes) + (fault.wrongLengthBytes ?? 0)
  if (reply.status !== 204 && reply.status !== 304) response.setHeader('content-length', lengthBytes)
  response.writeHead(reply.status, reply.headers)
  if (options.headOnly || content.sizeBytes === 0) {
    if (fault.stallMs !== undefined) await sleep(fault.stallMs, undefined, { ref: false })
    response.end()
    return
  }
  const whole = await sendPieces(response, broken(content, fault), options)
  if (!whole) return
  if (fault.cutAfterBytes !== undefined || fault.wrongLengthBytes !== undefined) response.destroy()
  else response.end()
}

function contentOf(body: Reply['body']): Content {
  if (body === undefined) return new Content([])
  return typeof body === 'string' ? new Content([Buffer.from(body)]) : body
}

function broken(content: Content, fault: Fault): Content {
  const end = fault.cutAfterBytes ?? content.sizeBytes
  const sent = content.slice(0, end)
  if (!fault.wrongBytes || sent.sizeBytes === 0) return sent
  const last = Buffer.concat(sent.slice(sent.sizeBytes - 1, sent.sizeBytes).pieces)
  return Content.joined([sent.slice(0, sent.sizeBytes - 1), new Content([Buffer.from([255 - (last[0] ?? 0)])])])
}

/** False when the client has gone. */
async function sendPieces(response: ServerResponse, content: Content, options: SendOptions): Promise<boolean> {
  const limit = options.bytesPerSecond
  const stallAt = options.fault.stallMs === undefined ? Number.POSITIVE_INFINITY : content.sizeBytes - 1
  let sentBytes = 0
  let atOnce = 0
  response.cork()
  for (const piece of piecesOf(content, limit > 0 ? LIMITED_PIECE_BYTES : undefined, stallAt)) {
    if (sentBytes === stallAt) {
      response.uncork()
      await sleep(options.fault.stallMs, undefined, { ref: false })
      response.cork()
    }
    if (response.destroyed) return false
    const roomLeft = response.write(piece)
    sentBytes += piece.byteLength
    options.onBytes(piece.byteLength)
    if (++atOnce >= PIECES_AT_ONCE || !roomLeft || limit > 0) {
      atOnce = 0
      response.uncork()
      if (limit > 0) await sleep((piece.byteLength / limit) * 1000)
      else if (response.writableNeedDrain && !(await drained(response))) return false
      response.cork()
    }
  }
  response.uncork()
  return true
}

function drained(response: ServerResponse): Promise<boolean> {
  return new Promise(resolve => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve(!response.destroyed)
    }
    response.on('drain', done).on('close', done)
  })
}

/** The pieces of a content, none larger than asked for, with a border at `border`. */
function* piecesOf(content: Content, maxBytes: number | undefined, border: number): Generator<Buffer> {
  let at = 0
  for (const piece of content.pieces) {
    for (let offset = 0; offset < piece.byteLength; ) {
      const untilBorder = at < border ? border - at : Number.POSITIVE_INFINITY
      const length = Math.min(piece.byteLength - offset, maxBytes ?? piece.byteLength, untilBorder)
      yield piece.subarray(offset, offset + length)
      offset += length
      at += length
    }
  }
}
