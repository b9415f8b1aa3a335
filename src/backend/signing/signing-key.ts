import { createHmac, hash } from 'node:crypto'

/** What SHA-256 works on at a time. */
const BLOCK_BYTES = 64

/** A key for HMAC-SHA256 (RFC 2104) of at most 64 bytes, made ready: two digests cost a third of what a `Hmac` object does. */
export class SigningKey {
  readonly #inner = Buffer.alloc(BLOCK_BYTES, 0x36)
  readonly #outer = Buffer.alloc(BLOCK_BYTES, 0x5c)

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
    const inner = hash('sha256', Buffer.concat([this.#inner, Buffer.from(text)]), 'buffer')
    return hash('sha256', Buffer.concat([this.#outer, inner]), 'hex')
  }
}
