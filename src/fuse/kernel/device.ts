import { closeSync, writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Log } from '../../backend/log.js'
import { duplicate } from '../../system/descriptors.js'
import type { Message } from '../protocol/message.js'
import { unexpectedErrno, writeAnswer } from './answer-pieces.js'
import { readingSocket } from './pipe-handle.js'
import { type Lease, WriteBuffers } from './write-buffers.js'

/** What all WRITEs together may hold while the filesystem has not taken them. Then the kernel's other requests wait too. */
const HELD_WRITES_BYTES = 32 << 20

export interface DeviceEvents {
  /** One request. The buffer is the receiver's for the duration of the call only. */
  onMessage(message: Message): void
  /** The connection is gone: unmounted, or cut off by the administrator. */
  onEnd(error: Error | undefined): void
}

/**
 * One connection to the kernel: /dev/fuse, open without blocking. One read is one request, one write is one answer. Reads
 * go through a second descriptor that libuv owns and closes by itself, so that the one for answers stays ours until `close`.
 */
export class Device {
  readonly #descriptor: number
  readonly #log: Log
  readonly #buffers = new WriteBuffers(HELD_WRITES_BYTES, () => this.#socket?.resume())
  #socket: Socket | undefined
  #closed = false

  /** Takes `descriptor` over. */
  constructor(descriptor: number, log: Log) {
    this.#descriptor = descriptor
    this.#log = log
  }

  get descriptor(): number {
    return this.#descriptor
  }

  /** Begins to read; the filesystem must be mounted (a read before fails with EPERM). */
  start(events: DeviceEvents): void {
    const socket = readingSocket(duplicate(this.#descriptor), {
      buffer: () => this.#buffers.current.bytes,
      callback: () => {
        events.onMessage(this.#buffers.current)
        return !this.#buffers.full
      },
    })
    this.#socket = socket
    let failure: Error | undefined
    socket.on('error', error => {
      failure = error
    })
    socket.on('close', () => events.onEnd(failure))
    socket.on('end', () => socket.destroy())
    socket.resume()
  }

  /** Keeps the data of the WRITE that `onMessage` is being called with. */
  keep(start: number, sizeBytes: number): Lease {
    return this.#buffers.keep(start, sizeBytes)
  }

  /** Writes one answer, the beginning of `message`. False: the kernel no longer waits for it, so what it hands out was not received. */
  answer(message: Buffer, lengthBytes = message.length): boolean {
    if (this.#closed) return false
    try {
      writeSync(this.#descriptor, message, 0, lengthBytes)
      return true
    } catch (error) {
      return this.#failed(error)
    }
  }

  /** As `answer`, of several pieces. */
  answerPieces(pieces: readonly Uint8Array[]): boolean {
    if (this.#closed) return false
    try {
      writeAnswer(this.#descriptor, pieces)
      return true
    } catch (error) {
      return this.#failed(error)
    }
  }

  /** Stops reading and gives the descriptor up; nobody else may still write to it. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket?.destroy()
    closeSync(this.#descriptor)
  }

  #failed(error: unknown): false {
    if (unexpectedErrno(error) !== undefined) this.#log.error('the kernel refused an answer', { error })
    return false
  }
}
