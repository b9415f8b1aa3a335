import { Worker } from 'node:worker_threads'
import type { Log } from '../../backend/log.js'
import type { KernelCache } from '../../fs/operations.js'
import { encodeEntryInvalidation, encodeNodeInvalidation, encodeRetrieval } from '../protocol/notifications.js'
import { Retrieval } from './retrieval.js'

export interface NotifierData {
  readonly descriptor: number
}

export interface WrittenBatch {
  /** Errno names of what was refused. */
  readonly failures: readonly string[]
  /** What was asked for and is not held. */
  readonly unanswered: readonly number[]
}

/** What waits to be told to the kernel. Beyond it the oldest is dropped, and the kernel's own lifetimes hold. */
const MAX_WAITING = 16_384
const BATCH = 256

/** Begins what no node or name does. */
const RETRIEVAL = 'retrieval '

/**
 * Tells the kernel what to forget, and asks it for what it holds. A notification waits in the kernel for locks that unanswered requests hold, so the
 * thread that serves must never write one: a worker of its own does, begun with the first, and nothing waits for it.
 */
export class Notifier implements KernelCache {
  readonly #log: Log
  /** By what it concerns: what waits already need not be said twice. In order of arrival. */
  readonly #waiting = new Map<string, Buffer>()
  readonly #retrieval = new Retrieval()
  #descriptor: number | undefined
  #worker: Worker | undefined
  #writing = false

  constructor(log: Log) {
    this.#log = log
  }

  /** The descriptor must stay open until `close` has resolved. */
  attach(descriptor: number): void {
    this.#descriptor = descriptor
  }

  invalidateNode(node: number): void {
    const key = String(node)
    if (!this.#waiting.has(key)) this.#add(key, encodeNodeInvalidation(node))
  }

  invalidateEntry(parent: number, name: Uint8Array): void {
    const key = `${parent}/${Buffer.from(name).toString('latin1')}`
    if (!this.#waiting.has(key)) this.#add(key, encodeEntryInvalidation(parent, name))
  }

  retrieve(node: number, offset: number, memory: Uint8Array): Promise<number> {
    const begun = this.#descriptor === undefined ? undefined : this.#retrieval.begin(memory)
    if (begun === undefined) return Promise.resolve(0)
    const { unique, answered } = begun
    this.#add(RETRIEVAL + unique, encodeRetrieval(unique, node, offset, memory.length))
    return answered
  }

  /** The kernel's answer to `retrieve`. */
  retrieved(unique: number, bytes: Uint8Array): void {
    this.#retrieval.end(unique, bytes)
  }

  /** A write is under way, and may be waiting in the kernel. */
  get writing(): boolean {
    return this.#writing
  }

  /** Once the mount is gone: ends the worker. */
  async close(): Promise<void> {
    this.#descriptor = undefined
    this.#waiting.clear()
    this.#retrieval.giveUp()
    await this.#worker?.terminate()
    this.#worker = undefined
  }

  #add(key: string, message: Buffer): void {
    if (this.#descriptor === undefined) return
    if (this.#waiting.size >= MAX_WAITING) this.#dropOldest()
    this.#waiting.set(key, message)
    this.#writeNext(this.#descriptor)
  }

  #dropOldest(): void {
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined) this.#drop(oldest)
    this.#log.warn('the kernel takes no notifications; one was dropped', { waiting: MAX_WAITING })
  }

  #drop(key: string): void {
    this.#waiting.delete(key)
    if (key.startsWith(RETRIEVAL)) this.#retrieval.giveUp()
  }

  #writeNext(descriptor: number): void {
    if (this.#writing || this.#waiting.size === 0) return
    this.#writing = true
    const batch: Buffer[] = []
    for (const [key, message] of this.#waiting) {
      if (batch.length === BATCH) break
      batch.push(message)
      this.#waiting.delete(key)
    }
    this.#worker ??= this.#startWorker(descriptor)
    this.#worker.postMessage(batch)
  }

  #startWorker(descriptor: number): Worker {
    const workerData: NotifierData = { descriptor }
    const worker = new Worker(new URL('./notifier-worker.js', import.meta.url), { workerData })
    worker.unref()
    worker.on('message', ({ failures, unanswered }: WrittenBatch) => {
      this.#writing = false
      for (const unique of unanswered) this.#retrieval.giveUp(unique)
      if (failures.length > 0) this.#log.error('the kernel refused notifications', { failures })
      if (this.#descriptor !== undefined) this.#writeNext(this.#descriptor)
    })
    worker.on('error', error => {
      this.#writing = false
      this.#worker = undefined
      this.#retrieval.giveUp()
      this.#log.error('the thread that writes notifications failed', { error })
    })
    return worker
  }
}
