/**
 * Extended attributes `user.NAME` as user metadata of objects, both ways. Stores keep names of metadata in lower case and
 * some turn `_` into `-`, so only names of a-z, 0-9 and `-` are kept as they are; others as `xattr-` and the lower-case
 * hex of their bytes. Metadata that other programs made under other names shows under these.
 */
import { isUtf8 } from 'node:buffer'
import type { Metadata } from '../backend/object-store.js'
import { WRITE_ID } from './attributes.js'

const PREFIX = 'user.'
/** XATTR_NAME_MAX of Linux without the prefix. */
const MAX_NAME_BYTES = 255 - PREFIX.length
/** What holds the attributes of the file itself, as s3fs has them. */
const RESERVED = new Set(['mode', 'uid', 'gid', 'rdev', 'mtime', 'atime', 'ctime', WRITE_ID])
/** What the driver tells of the object; none of it is metadata. */
const VIRTUAL = 'bucket.'
const PLAIN = /^[a-z0-9-]+$/
const ENCODED = /^xattr-((?:[0-9a-f]{2})+)$/
const ENCODED_VALUE = 'base64:'
const CONTROL = /\p{Cc}/u

/**
 * The name in the metadata of the attribute `user.` + `name`, which need not stand there yet. Undefined where no program
 * may keep anything: reserved names and those of `user.bucket.`.
 */
export function metadataNameOf(name: Uint8Array | string, metadata: Metadata): string | undefined {
  const bytes = Buffer.from(name)
  const text = isUtf8(bytes) ? bytes.toString() : undefined
  if (text === undefined) return encoded(bytes)
  if (isReserved(text)) return undefined
  if (isPlain(text)) return text
  // Somebody else's, as the store has it. An encoded name is never the name of another attribute.
  return Object.hasOwn(metadata, text) && decoded(text) === undefined ? text : encoded(bytes)
}

/** The name behind `user.` that an entry of the metadata shows under; undefined where it does not show. */
export function xattrNameOf(metadataName: string): Buffer | undefined {
  const bytes = decoded(metadataName) ?? Buffer.from(metadataName)
  return isReserved(metadataName) || bytes.length > MAX_NAME_BYTES ? undefined : bytes
}

/** The value as metadata: its text, where it is one; else, and for none at all, `base64:` and the bytes. */
export function encodeValue(value: Uint8Array): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
  const text = isUtf8(bytes) ? bytes.toString() : ''
  // Some stores drop metadata that is empty.
  return text === '' || text.startsWith(ENCODED_VALUE) || CONTROL.test(text)
    ? ENCODED_VALUE + bytes.toString('base64')
    : text
}

/** What `encodeValue` was given; other text stands for itself, also where others made it look encoded. */
export function decodeValue(text: string): Buffer {
  if (text.startsWith(ENCODED_VALUE)) {
    const bytes = Buffer.from(text.slice(ENCODED_VALUE.length), 'base64')
    if (encodeValue(bytes) === text) return bytes
  }
  return Buffer.from(text)
}

/** What the store's limit counts: names and values, as UTF-8. */
export function metadataBytes(metadata: Metadata): number {
  return Object.entries(metadata).reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0)
}

function isReserved(name: string): boolean {
  return RESERVED.has(name) || name.startsWith(VIRTUAL)
}

/** Kept under its own name: nothing that stands for another name. */
function isPlain(name: string): boolean {
  return PLAIN.test(name) && decoded(name) === undefined
}

function encoded(name: Uint8Array): string {
  return `xattr-${Buffer.from(name).toString('hex')}`
}

/** The name that an encoded one stands for; undefined unless that name is kept so. */
function decoded(metadataName: string): Buffer | undefined {
  const hex = ENCODED.exec(metadataName)?.[1]
  if (hex === undefined || hex.length > 2 * MAX_NAME_BYTES) return undefined
  const bytes = Buffer.from(hex, 'hex')
  const text = bytes.toString()
  const isKeptSo = !isUtf8(bytes) || !(isReserved(text) || isPlain(text))
  return isKeptSo && !bytes.includes(0) ? bytes : undefined
}
