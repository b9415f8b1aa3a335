import { createHash } from 'node:crypto'
import type { Payload } from './payload.js'

/** Of a request without a body. */
export const NO_PAYLOAD: Payload = { hash: createHash('sha256').digest('hex'), fields: {}, body: undefined }
