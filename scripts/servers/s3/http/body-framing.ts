/** Where the body of a request ends (RFC 9112, section 6). */
export interface BodyFraming {
  readonly isWhole: boolean
  /** Hands on what of a chunk belongs to the body; gives how many bytes of it were used. Throws on what is no body. */
  take(chunk: Buffer, emit: (piece: Buffer) => void): number
}

export class LengthFraming implements BodyFraming {
  #leftBytes: number

  constructor(lengthBytes: number) {
    this.#leftBytes = lengthBytes
  }

  get isWhole(): boolean {
    return this.#leftBytes === 0
  }

  take(chunk: Buffer, emit: (piece: Buffer) => void): number {
    const bytes = Math.min(chunk.byteLength, this.#leftBytes)
    this.#leftBytes -= bytes
    if (bytes > 0) emit(bytes === chunk.byteLength ? chunk : chunk.subarray(0, bytes))
    return bytes
  }
}

const MAX_LINE_LENGTH = 16 * 1024

/** Chunked transfer coding (RFC 9112, section 7.1); trailers are passed over. */
export class ChunkedFraming implements BodyFraming {
  #state: 'length' | 'bytes' | 'end-of-bytes' | 'trailers' | 'whole' = 'length'
  #leftBytes = 0
  #line = ''

  get isWhole(): boolean {
    return this.#state === 'whole'
  }

  take(chunk: Buffer, emit: (piece: Buffer) => void): number {
    let at = 0
    while (at < chunk.byteLength && !this.isWhole) {
      if (this.#state === 'bytes') {
        const piece = chunk.subarray(at, at + this.#leftBytes)
        at += piece.byteLength
        this.#leftBytes -= piece.byteLength
        if (this.#leftBytes === 0) this.#state = 'end-of-bytes'
        emit(piece)
        continue
      }
      const newline = chunk.indexOf(10, at)
      const end = newline < 0 ? chunk.byteLength : newline + 1
      this.#line += chunk.toString('latin1', at, end)
      at = end
      if (this.#line.length > MAX_LINE_LENGTH) throw new Error('a line of a chunked body is too long')
      if (newline >= 0) this.#takeLine()
    }
    return at
  }

  #takeLine(): void {
    const line = this.#line.trimEnd()
    this.#line = ''
    if (this.#state === 'trailers') {
      if (line === '') this.#state = 'whole'
      return
    }
    if (this.#state === 'end-of-bytes') {
      if (line !== '') throw new Error('a chunk of a body is longer than announced')
      this.#state = 'length'
      return
    }
    const [, length] = /^([0-9a-f]{1,12})(?:;|$)/i.exec(line) ?? []
    if (length === undefined) throw new Error('a chunk of a body has no length')
    this.#leftBytes = Number.parseInt(length, 16)
    this.#state = this.#leftBytes === 0 ? 'trailers' : 'bytes'
  }
}
