import type { Filesystem } from '../../../fs/operations.js'
import type { Message } from '../../protocol/message.js'
import type { Replies } from '../replies.js'
import type { Request } from '../request.js'
import type { Lease } from '../write-buffers.js'

/** What a handler works with. */
export interface Serving {
  readonly filesystem: Filesystem
  readonly replies: Replies
  /** Keeps a part of the message beyond the synchronous part of a handler. */
  keep(start: number, sizeBytes: number): Lease
}

/**
 * Carries out one kind of request: reads it before the first `await` (the message is another's afterwards), calls the
 * filesystem and answers. What it rejects with or throws is the answer's errno; nothing was answered then.
 */
export type Handler = (request: Request, message: Message, serving: Serving) => Promise<void>
