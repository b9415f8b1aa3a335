import type { Call } from './call.js'
import { Content, shared } from './content.js'
import { BodyCheck } from './digests.js'
import { S3Error } from './s3-error.js'

/** A body that has come in and was as announced. */
export interface ReadBody {
  readonly content: Content
  /** In hex; undefined when it was not to be taken. */
  readonly md5: string | undefined
  /** The checksum that came behind the bytes, by the name of its header. */
  readonly trailer: Readonly<Record<string, string>>
}

/** Reads a request's body; the pieces that came over the socket are kept as they are. */
export async function readBody(call: Call, takeMd5: boolean, onBytes: (bytes: number) => void): Promise<ReadBody> {
  const check = new BodyCheck(call, takeMd5)
  const pieces: Buffer[] = []
  let sizeBytes = 0
  const keep = (chunk: Buffer) => {
    check.update(chunk)
    pieces.push(shared(chunk))
    sizeBytes += chunk.byteLength
  }
  const chunked = check.streamed ? new ChunkedReader(keep, check) : undefined
  let failure: unknown
  await call.exchange.readBody(chunk => {
    onBytes(chunk.byteLength)
    if (failure !== undefined) return
    try {
      if (chunked === undefined) keep(chunk)
      else chunked.take(chunk)
    } catch (error) {
      // Said when all has come: the connection goes on.
      failure = error
    }
  })
  if (failure !== undefined) throw failure
  chunked?.finish()
  if (!lengthMatches(call, check.streamed, sizeBytes)) throw incompleteBody()
  return { content: new Content(pieces), md5: check.finish(), trailer: check.trailer }
}

function lengthMatches(call: Call, streamed: boolean, sizeBytes: number): boolean {
  const announced = call.header(streamed ? 'x-amz-decoded-content-length' : 'content-length')
  return announced === undefined || Number(announced) === sizeBytes
}

function incompleteBody(): S3Error {
  return new S3Error(400, 'IncompleteBody', 'The body does not have the number of bytes announced.')
}

/**
 * Takes an aws-chunked body apart: `length in hex[;extensions] CRLF bytes CRLF`, a chunk of no bytes, trailers
 * (Signature Version 4, "Sending unsigned payloads with trailing checksums").
 */
class ChunkedReader {
  readonly #keep: (chunk: Buffer) => void
  readonly #check: BodyCheck
  #state: 'length' | 'bytes' | 'end-of-bytes' | 'trailers' = 'length'
  #left = 0
  #line = ''
  #done = false

  constructor(keep: (chunk: Buffer) => void, check: BodyCheck) {
    this.#keep = keep
    this.#check = check
  }

  take(input: Buffer): void {
    for (let at = 0; at < input.byteLength; ) {
      if (this.#state === 'bytes') {
        const piece = input.subarray(at, at + this.#left)
        this.#keep(piece)
        at += piece.byteLength
        this.#left -= piece.byteLength
        if (this.#left === 0) this.#state = 'end-of-bytes'
        continue
      }
      const newline = input.indexOf(10, at)
      const end = newline < 0 ? input.byteLength : newline + 1
      this.#line += input.toString('latin1', at, end)
      at = end
      if (newline >= 0) this.#takeLine()
    }
  }

  finish(): void {
    if (this.#line !== '') this.#takeLine()
    if (!this.#done) throw incompleteBody()
  }

  #takeLine(): void {
    const line = this.#line.trimEnd()
    this.#line = ''
    if (this.#state === 'trailers') {
      const colon = line.indexOf(':')
      if (colon > 0) this.#check.setTrailer(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
      return
    }
    if (this.#state === 'end-of-bytes') {
      if (line !== '') throw incompleteBody()
      this.#state = 'length'
      return
    }
    const [, length] = /^([0-9a-f]+)(?:;|$)/i.exec(line) ?? []
    if (length === undefined) throw incompleteBody()
    this.#left = Number.parseInt(length, 16)
    this.#done = this.#left === 0
    this.#state = this.#done ? 'trailers' : 'bytes'
  }
}
