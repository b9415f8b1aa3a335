import type { Signal } from '../call-signal.js'
import { closableBody } from '../closable-body.js'
import type {
  Body,
  ByteRange,
  CallOptions,
  CompletedPart,
  CopyOptions,
  CopyPartSource,
  DeleteEntry,
  DeleteResult,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  ObjectTraits,
  PendingUpload,
  PrepareReadOptions,
  PutOptions,
  ReadPlan,
  ReadSink,
  TraitsOptions,
  Upload,
  WriteConditions,
  WriteResult,
} from '../object-store.js'
import type { Powers } from '../powers.js'
import { StoreError } from '../store-error.js'
import { SYSTEM_TIMERS, sleep, type Timers } from '../timers.js'
import { aroundPowers } from './around-powers.js'
import type { Fault, FaultRules } from './fault-rules.js'
import { StoreLayer } from './store-layer.js'
import type { StoreOperation } from './store-operation.js'
import { UploadLayer } from './upload-layer.js'

/** Makes calls fail by rules, so that tests see what a bad store does to whoever stands above. */
export class FaultLayer extends StoreLayer {
  readonly #injector: Injector

  constructor(inner: ObjectStore, rules: FaultRules, timers: Timers = SYSTEM_TIMERS) {
    super(inner)
    this.#injector = new Injector(rules, timers)
  }

  override head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    return this.#injector.call('head', [key], options, () => this.inner.head(key, options))
  }

  override list(options?: ListOptions): Promise<ListPage> {
    return this.#injector.call('list', [], options, () => this.inner.list(options))
  }

  override get(key: string, options?: GetOptions): Promise<GetResult> {
    return this.#injector.call('get', [key], options, async fault => {
      const { info, body } = await this.inner.get(key, options)
      const limit = fault?.cutBodyAfterBytes
      return fault === undefined || limit === undefined ? { info, body } : { info, body: cut(body, limit, fault, key) }
    })
  }

  override async prepareRead(key: string, range: ByteRange, options?: PrepareReadOptions): Promise<ReadPlan> {
    const plan = await this.inner.prepareRead(key, range, options)
    const run = (sink: ReadSink, signal?: Signal) =>
      this.#injector.call('get', [key], { signal }, async fault => {
        const limit = fault?.cutBodyAfterBytes
        if (fault === undefined || limit === undefined || limit >= range.lengthBytes) return plan.run(sink, signal)
        if (limit > 0) {
          const beginning = await this.inner.prepareRead(key, { offset: range.offset, lengthBytes: limit }, options)
          await beginning.run(sink, signal)
        }
        throw errorOf(fault, 'get', key, false)
      })
    return { key: plan.key, range: plan.range, run }
  }

  override put(key: string, body: Body, options?: PutOptions): Promise<WriteResult> {
    return this.#injector.call('put', [key], options, () => this.inner.put(key, body, options))
  }

  override async createUpload(key: string, options?: Parameters<ObjectStore['createUpload']>[1]): Promise<Upload> {
    const upload = await this.#injector.call('createUpload', [key], options, () =>
      this.inner.createUpload(key, options),
    )
    return new FaultyUpload(upload, this.#injector)
  }

  override resumeUpload(key: string, uploadId: string): Upload {
    return new FaultyUpload(this.inner.resumeUpload(key, uploadId), this.#injector)
  }

  override listUploads(options?: Parameters<ObjectStore['listUploads']>[0]): Promise<readonly PendingUpload[]> {
    return this.#injector.call('listUploads', [], options, () => this.inner.listUploads(options))
  }

  override listParts(key: string, uploadId: string, options?: CallOptions): Promise<readonly CompletedPart[]> {
    return this.#injector.call('listParts', [key], options, () => this.inner.listParts(key, uploadId, options))
  }

  override copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult> {
    return this.#injector.call('copy', [from, to], options, () => this.inner.copy(from, to, options))
  }

  override traits(key: string, options?: TraitsOptions): Promise<ObjectTraits> {
    return this.#injector.call('traits', [key], options, () => this.inner.traits(key, options))
  }

  override delete(entries: readonly DeleteEntry[], options?: CallOptions): Promise<readonly DeleteResult[]> {
    const keys = entries.map(entry => entry.key)
    return this.#injector.call('delete', keys, options, () => this.inner.delete(entries, options))
  }

  protected override wrapPowers(powers: Powers): Powers {
    return aroundPowers(powers, ({ operation, key, options }, run) =>
      this.#injector.call(operation, key === undefined ? [] : [key], options, () => run(options)),
    )
  }
}

class FaultyUpload extends UploadLayer {
  readonly #injector: Injector

  constructor(inner: Upload, injector: Injector) {
    super(inner)
    this.#injector = injector
  }

  override part(number: number, body: Body, options?: CallOptions): Promise<CompletedPart> {
    return this.#injector.call('part', [this.key], options, () => this.inner.part(number, body, options))
  }

  override copyPart(number: number, source: CopyPartSource, options?: CallOptions): Promise<CompletedPart> {
    const keys = [this.key, source.key]
    return this.#injector.call('copyPart', keys, options, () => this.inner.copyPart(number, source, options))
  }

  override complete(parts: readonly CompletedPart[], options?: CallOptions & WriteConditions): Promise<WriteResult> {
    return this.#injector.call('complete', [this.key], options, () => this.inner.complete(parts, options))
  }

  override abort(options?: CallOptions): Promise<void> {
    return this.#injector.call('abort', [this.key], options, () => this.inner.abort(options))
  }
}

class Injector {
  readonly #rules: FaultRules
  readonly #timers: Timers

  constructor(rules: FaultRules, timers: Timers) {
    this.#rules = rules
    this.#timers = timers
  }

  async call<T>(
    operation: StoreOperation,
    keys: readonly string[],
    options: { readonly signal?: Signal | undefined } | undefined,
    run: (fault: Fault | undefined) => Promise<T>,
  ): Promise<T> {
    const fault = this.#rules.faultFor(operation, keys)
    const { delayMs = 0, kind, when, cutBodyAfterBytes } = fault ?? {}
    if (delayMs > 0) await sleep(this.#timers, delayMs, options?.signal, operation)
    if (fault === undefined || kind === undefined || cutBodyAfterBytes !== undefined) return run(fault)
    const isCarriedOut = when === 'after' && operation !== 'get'
    if (isCarriedOut) await run(fault)
    throw errorOf(fault, operation, keys[0], isCarriedOut)
  }
}

function errorOf(fault: Fault, operation: StoreOperation, key: string | undefined, ambiguous: boolean): StoreError {
  return new StoreError(fault.kind ?? 'unavailable', `${operation}: injected`, {
    operation,
    ambiguous,
    code: fault.code ?? 'Injected',
    ...(key !== undefined && { key }),
    ...(fault.retryAfterMs !== undefined && { retryAfterMs: fault.retryAfterMs }),
  })
}

function cut(
  body: AsyncIterable<Uint8Array>,
  limitBytes: number,
  fault: Fault,
  key: string,
): AsyncIterable<Uint8Array> {
  const inner = body[Symbol.asyncIterator]()
  const close = async () => {
    await inner.return?.()
  }
  async function* bytes() {
    let leftBytes = limitBytes
    try {
      for (;;) {
        const step = await inner.next()
        if (step.done === true) return
        if (step.value.byteLength > leftBytes) {
          if (leftBytes > 0) yield step.value.subarray(0, leftBytes)
          throw errorOf(fault, 'get', key, false)
        }
        leftBytes -= step.value.byteLength
        yield step.value
      }
    } finally {
      await close()
    }
  }
  return closableBody(bytes(), close)
}
