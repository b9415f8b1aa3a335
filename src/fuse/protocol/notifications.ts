import { OUT_HEADER_BYTES } from './layout.js'
import { numbersOf } from './message.js'
import { readUint64, writeInt64 } from './uint64.js'

/** enum fuse_notify_code, in the place of a reply's errno. */
const INVAL_INODE = 2
const INVAL_ENTRY = 3
const RETRIEVE = 5

/** fuse_notify_inval_inode_out: the attributes of a node and all its pages. */
export function encodeNodeInvalidation(node: number): Buffer {
  const message = notification(INVAL_INODE, 24)
  writeInt64(message, node, OUT_HEADER_BYTES)
  // Offset 0 and length 0: from the beginning to the end.
  return message
}

/** fuse_notify_inval_entry_out: what a name in a folder leads to. */
export function encodeEntryInvalidation(parent: number, name: Uint8Array): Buffer {
  const message = notification(INVAL_ENTRY, 16 + name.length + 1)
  writeInt64(message, parent, OUT_HEADER_BYTES)
  message.writeUInt32LE(name.length, OUT_HEADER_BYTES + 8)
  message.set(name, OUT_HEADER_BYTES + 16)
  return message
}

/** fuse_notify_retrieve_out: what is held of a node's bytes; answered by a NOTIFY_REPLY with this `unique`. */
export function encodeRetrieval(unique: number, node: number, offset: number, sizeBytes: number): Buffer {
  const message = notification(RETRIEVE, 32)
  writeInt64(message, unique, OUT_HEADER_BYTES)
  writeInt64(message, node, OUT_HEADER_BYTES + 8)
  writeInt64(message, offset, OUT_HEADER_BYTES + 16)
  message.writeUInt32LE(sizeBytes, OUT_HEADER_BYTES + 24)
  return message
}

/** The `unique` of a notification that asks for what is held; undefined for others. */
export function retrievalUnique(message: Buffer): number | undefined {
  return message.readInt32LE(4) === RETRIEVE ? readUint64(numbersOf(message), OUT_HEADER_BYTES) : undefined
}

/** fuse_out_header with unique 0 and zeros behind it. */
function notification(code: number, bodyBytes: number): Buffer {
  const message = Buffer.alloc(OUT_HEADER_BYTES + bodyBytes)
  message.writeUInt32LE(message.length, 0)
  message.writeInt32LE(code, 4)
  return message
}
