import { createHmac, hash } from 'node:crypto'

/** What SHA-256 works on at a time, and what it makes of it. */
const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
/** Longer ones than any request has come from forms. */
const TEXT_BYTES = 512

/**
 * A key for HMAC-SHA256 (RFC 2104) of at most 64 bytes, made ready: two digests cost a third of what a `Hmac` object does.
 * What is digested lies behind the key, in memory that all texts share.
 */
export class SigningKey {
  readonly #inner = Buffer.alloc(BLOCK_BYTES + TEXT_BYTES, 0x36)
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, 0x5c)

  private constructor(key: Buffer) {
    for (const [at, byte] of key.entries()) {
      this.#inner[at] = byte ^ 0x36
      this.#outer[at] = byte ^ 0x5c
    }
  }

  /** Each step signs the next one, beginning with `secret`. There is one step at the least. */
  static derived(secret: Buffer, steps: readonly string[]): SigningKey {
    return new SigningKey(steps.reduce((key, step) => createHmac('sha256', key).update(step).digest(), secret))
  }

  /** In lower-case hexadecimal digits. */
  sign(text: string): string {
    const inner = hash('sha256', this.#behindKey(text), 'buffer')
    this.#outer.set(inner, BLOCK_BYTES)
    return hash('sha256', this.#outer, 'hex')
  }

  #behindKey(text: string): Buffer {
    if (text.length * 3 > TEXT_BYTES) return Buffer.concat([this.#inner.subarray(0, BLOCK_BYTES), Buffer.from(text)])
    return this.#inner.subarray(0, BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES))
  }
}
