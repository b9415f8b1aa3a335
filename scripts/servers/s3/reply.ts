import type { Content } from './content.js'

/** What a handler answers; the server adds what all answers have. */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** XML, or an object's bytes. */
  readonly body?: string | Content
  /** Of an answer without a body: what Content-Length says (HEAD). */
  readonly announcedBytes?: number
}

export function xml(body: string): Reply {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body }
}
