import { constants } from 'node:os'
import type { ReadReply, ReadTicket } from '../../cache/lanes/read-reply.js'
import type { ErrnoName } from '../../fs/fs-error.js'
import type { AttributesReply, Entry, FilesystemStatistics, NegativeEntry, OpenReply } from '../../fs/operations.js'
import { errnoNumber } from '../errno.js'
import { ATTR_OUT_BYTES, ENTRY_OUT_BYTES, putAttrOut, putEntryOut } from '../protocol/attributes.js'
import { OUT_HEADER_BYTES } from '../protocol/layout.js'
import { headerOf, putOutHeader } from '../protocol/out-header.js'
import { OPEN_OUT_BYTES, type OpenTraits, putOpenOut, STATFS_OUT_BYTES, writeStatfsOut } from '../protocol/replies.js'
import { putInt64, wordsOf } from '../protocol/words.js'
import type { Device } from './device.js'
import type { Request } from './request.js'

/** Room for the longest fixed answer: entry and open reply of CREATE. */
const SCRATCH_BYTES = OUT_HEADER_BYTES + ENTRY_OUT_BYTES + OPEN_OUT_BYTES

/**
 * Answers requests. An answer is written before the call returns, so one buffer serves all of them. Each method tells
 * whether the kernel took the answer: what an answer hands out (lookups, handles) is otherwise to be given back.
 */
export class Replies {
  readonly #device: Device
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES)
  readonly #words = wordsOf(this.#scratch)

  constructor(device: Device) {
    this.#device = device
  }

  empty(request: Request): boolean {
    return this.#send(request.unique, 0, 0)
  }

  error(unique: number, errno: ErrnoName): boolean {
    return this.#send(unique, 0, -errnoNumber(errno))
  }

  attributes(request: Request, reply: AttributesReply): boolean {
    putAttrOut(this.#words, OUT_HEADER_BYTES / 4, reply)
    return this.#send(request.unique, ATTR_OUT_BYTES, 0)
  }

  entry(request: Request, entry: Entry | NegativeEntry): boolean {
    putEntryOut(this.#words, OUT_HEADER_BYTES / 4, entry)
    return this.#send(request.unique, ENTRY_OUT_BYTES, 0)
  }

  open(request: Request, open: OpenReply, traits: OpenTraits): boolean {
    putOpenOut(this.#words, OUT_HEADER_BYTES / 4, open, traits)
    return this.#send(request.unique, OPEN_OUT_BYTES, 0)
  }

  create(request: Request, entry: Entry, open: OpenReply, traits: OpenTraits): boolean {
    putEntryOut(this.#words, OUT_HEADER_BYTES / 4, entry)
    putOpenOut(this.#words, (OUT_HEADER_BYTES + ENTRY_OUT_BYTES) / 4, open, traits)
    return this.#send(request.unique, ENTRY_OUT_BYTES + OPEN_OUT_BYTES, 0)
  }

  /** A number in eight bytes: fuse_write_out, fuse_getxattr_out, fuse_lseek_out, fuse_copy_file_range_out. */
  number(request: Request, value: number): boolean {
    putInt64(this.#words, OUT_HEADER_BYTES / 4, value)
    return this.#send(request.unique, 8, 0)
  }

  statistics(request: Request, statistics: FilesystemStatistics): boolean {
    writeStatfsOut(this.#scratch, OUT_HEADER_BYTES, statistics)
    return this.#send(request.unique, STATFS_OUT_BYTES, 0)
  }

  /** Bytes as they are: the target of a link, the value or the names of extended attributes. */
  bytes(request: Request, data: Uint8Array): boolean {
    return this.#device.answerPieces([headerOf([data], request.unique), data])
  }

  /** A message with room for the header in front. */
  prepared(request: Request, message: Buffer): boolean {
    putOutHeader(wordsOf(message), message.length, 0, request.unique)
    return this.#device.answer(message)
  }

  /** The first `sizeBytes` bytes behind the header of `scratch`, which the caller has filled in. */
  init(request: Request, sizeBytes: number): boolean {
    return this.#send(request.unique, sizeBytes, 0)
  }

  /** Refuses a kernel whose protocol is too old. */
  unsupported(request: Request): boolean {
    return this.#send(request.unique, 0, -constants.errno.EPROTO)
  }

  get scratch(): Buffer {
    return this.#scratch
  }

  read(request: Request): KernelReadReply {
    return new KernelReadReply(this.#device, request)
  }

  #send(unique: number, sizeBytes: number, error: number): boolean {
    const lengthBytes = OUT_HEADER_BYTES + sizeBytes
    putOutHeader(this.#words, lengthBytes, error, unique)
    return this.#device.answer(this.#scratch, lengthBytes)
  }
}

/** Answers one READ with the views as they are: the kernel's is the only copy. Data threads do so by read-answers.ts. */
export class KernelReadReply implements ReadReply, ReadTicket {
  readonly #device: Device
  readonly #request: Request

  constructor(device: Device, request: Request) {
    this.#device = device
    this.#request = request
  }

  get unique(): number {
    return this.#request.unique
  }

  get ticket(): ReadTicket {
    return this
  }

  answered(): void {
    this.#request.hasData = true
  }

  send(views: readonly Uint8Array[], release: () => void): void {
    this.#request.hasData = true
    this.#device.answerPieces([headerOf(views, this.unique), ...views])
    release()
  }
}
