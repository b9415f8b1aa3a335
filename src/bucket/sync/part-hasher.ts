import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'

export interface PartDigest {
  readonly offset: number
  readonly sizeBytes: number
  readonly md5: string
  readonly crc32: number
}

/** Takes digests of bytes that come one after the other, part by part. */
export class PartHasher {
  readonly partBytes: number
  readonly #done: PartDigest[] = []
  #md5: Hash = createHash('md5')
  #crc32 = 0
  #offset = 0
  #filledBytes = 0

  constructor(partBytes: number) {
    this.partBytes = partBytes
  }

  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength; ) {
      const piece = chunk.subarray(at, at + this.partBytes - this.#filledBytes)
      this.#md5.update(piece)
      this.#crc32 = crc32(piece, this.#crc32)
      this.#filledBytes += piece.byteLength
      at += piece.byteLength
      if (this.#filledBytes === this.partBytes) this.#endPart()
    }
  }

  /** An empty file is one empty part. */
  finish(): readonly PartDigest[] {
    if (this.#filledBytes > 0 || this.#done.length === 0) this.#endPart()
    return this.#done
  }

  #endPart(): void {
    const digest = { md5: this.#md5.digest('hex'), crc32: this.#crc32 }
    this.#done.push({ offset: this.#offset, sizeBytes: this.#filledBytes, ...digest })
    this.#offset += this.#filledBytes
    this.#md5 = createHash('md5')
    this.#crc32 = 0
    this.#filledBytes = 0
  }
}
