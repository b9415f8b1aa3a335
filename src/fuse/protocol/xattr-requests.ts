/** Reads the bodies of requests about extended attributes. What they give is a copy, valid for as long as it is kept. */
import { IN_HEADER_BYTES } from './layout.js'
import type { Message } from './message.js'

const BODY = IN_HEADER_BYTES

/** fuse_getxattr_in, and fuse_setxattr_in where SETXATTR_EXT is not negotiated. */
const XATTR_IN_BYTES = 8

export interface GetxattrRequest {
  readonly name: Uint8Array
  /** What the program has room for; 0 asks how much it needs. */
  readonly roomBytes: number
}

export interface SetxattrRequest {
  readonly name: Uint8Array
  readonly value: Uint8Array
  /** Those of setxattr(2). */
  readonly flags: number
}

/** REMOVEXATTR: the name alone. */
export function readRemovexattr(message: Message): Uint8Array {
  return copyOfName(message, BODY)
}

/** `user` as a number. */
const USER = Buffer.from('user').readUInt32LE()
const DOT = 0x2e

/** Whether a GETXATTR asks for an attribute of `user.`. */
export function isOfUser({ bytes, numbers }: Message): boolean {
  const nameAt = BODY + XATTR_IN_BYTES
  return numbers.getUint32(nameAt, true) === USER && bytes[nameAt + 4] === DOT
}

/** GETXATTR: fuse_getxattr_in and the name. */
export function readGetxattr(message: Message): GetxattrRequest {
  return { name: copyOfName(message, BODY + XATTR_IN_BYTES), roomBytes: readListxattr(message) }
}

/** LISTXATTR: what the program has room for. */
export function readListxattr(message: Message): number {
  return message.numbers.getUint32(BODY, true)
}

/** SETXATTR: fuse_setxattr_in, the name and the value. */
export function readSetxattr(message: Message): SetxattrRequest {
  const name = copyOfName(message, BODY + XATTR_IN_BYTES)
  const valueAt = BODY + XATTR_IN_BYTES + name.length + 1
  const { bytes, numbers } = message
  return {
    name,
    value: Buffer.from(bytes.subarray(valueAt, valueAt + numbers.getUint32(BODY, true))),
    flags: numbers.getUint32(BODY + 4, true),
  }
}

function copyOfName({ bytes }: Message, at: number): Uint8Array {
  return Buffer.from(bytes.subarray(at, bytes.indexOf(0, at)))
}
