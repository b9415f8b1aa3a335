import type { ReadSink } from '../object-store.js'
import { isStoreError, type StoreErrorKind } from '../store-error.js'
import type { StoreOperation } from './store-operation.js'

export interface OperationCount {
  readonly requests: number
  /** Bytes of objects that came in, those of bodies that broke off included. */
  readonly receivedBytes: number
  /** Bytes of objects that went out with requests that succeeded. */
  readonly sentBytes: number
  readonly errors: Readonly<Partial<Record<StoreErrorKind, number>>>
}

interface MutableCount {
  requests: number
  receivedBytes: number
  sentBytes: number
  readonly errors: Partial<Record<StoreErrorKind, number>>
}

/** Requests, bytes and errors by operation. */
export class Meter {
  readonly #counts = new Map<StoreOperation, MutableCount>()

  /** A copy of the counts; operations that never happened are absent. */
  snapshot(): Readonly<Partial<Record<StoreOperation, OperationCount>>> {
    return Object.fromEntries(
      [...this.#counts].map(([operation, count]) => [operation, { ...count, errors: { ...count.errors } }]),
    )
  }

  async count<T>(operation: StoreOperation, call: () => Promise<T>, sentBytes = 0): Promise<T> {
    const count = this.#of(operation)
    count.requests++
    try {
      const answer = await call()
      count.sentBytes += sentBytes
      return answer
    } catch (error) {
      this.countError(operation, error)
      throw error
    }
  }

  countError(operation: StoreOperation, error: unknown): void {
    if (!isStoreError(error)) return
    const { errors } = this.#of(operation)
    errors[error.kind] = (errors[error.kind] ?? 0) + 1
  }

  countBody(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const inner = body[Symbol.asyncIterator]()
    const iterator: AsyncIterator<Uint8Array> = {
      next: async () => {
        try {
          const step = await inner.next()
          if (step.done !== true) this.#of('get').receivedBytes += step.value.byteLength
          return step
        } catch (error) {
          this.countError('get', error)
          throw error
        }
      },
      return: async () => (await inner.return?.()) ?? { done: true, value: undefined },
    }
    return { [Symbol.asyncIterator]: () => iterator }
  }

  countSink(sink: ReadSink): ReadSink {
    return {
      free: () => sink.free(),
      advance: bytes => {
        this.#of('get').receivedBytes += bytes
        sink.advance(bytes)
      },
    }
  }

  #of(operation: StoreOperation): MutableCount {
    const known = this.#counts.get(operation)
    if (known !== undefined) return known
    const fresh: MutableCount = { requests: 0, receivedBytes: 0, sentBytes: 0, errors: {} }
    this.#counts.set(operation, fresh)
    return fresh
  }
}
