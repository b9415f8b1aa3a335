import { throwIfAborted } from '../call.js'
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
  TraitsOptions,
  Upload,
  WriteConditions,
  WriteResult,
} from '../object-store.js'
import type { Powers } from '../powers.js'
import { aroundPowers } from './around-powers.js'
import { type Release, Slots } from './slots.js'
import { StoreLayer } from './store-layer.js'
import type { StoreOperation } from './store-operation.js'
import { UploadLayer } from './upload-layer.js'

export interface LimitsOptions {
  /** How many requests are under way at once, bodies included. */
  readonly concurrency: number
}

/** Bounds how much a store is asked at once; who waits is served by priority. */
export class LimitsLayer extends StoreLayer {
  readonly #slots: Slots

  constructor(inner: ObjectStore, options: LimitsOptions) {
    super(inner)
    this.#slots = new Slots(options.concurrency)
  }

  override head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return withSlot(this.#slots, 'head', options, () => this.inner.head(key, options))
  }

  override list(options: ListOptions = {}): Promise<ListPage> {
    return withSlot(this.#slots, 'list', options, () => this.inner.list(options))
  }

  override async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    throwIfAborted(options.signal, 'get')
    const release = freeSlot(this.#slots, options) ?? (await turnOf(this.#slots, 'get', options))
    try {
      const { info, body } = await this.inner.get(key, options)
      return { info, body: heldBody(body, release, options.signal) }
    } catch (error) {
      release()
      throw error
    }
  }

  /** The slot is taken when the plan runs. */
  override async prepareRead(key: string, range: ByteRange, options: PrepareReadOptions = {}): Promise<ReadPlan> {
    const plan = await this.inner.prepareRead(key, range, options)
    const { priority, urged, turn } = options
    return {
      key: plan.key,
      range: plan.range,
      run: (sink, signal) =>
        withSlot(this.#slots, 'get', { priority, urged, turn, signal }, () => plan.run(sink, signal)),
    }
  }

  override put(key: string, body: Body, options: PutOptions = {}): Promise<WriteResult> {
    return withSlot(this.#slots, 'put', options, () => this.inner.put(key, body, options))
  }

  override async createUpload(
    key: string,
    options: NonNullable<Parameters<ObjectStore['createUpload']>[1]> = {},
  ): Promise<Upload> {
    const upload = await withSlot(this.#slots, 'createUpload', options, () => this.inner.createUpload(key, options))
    return new LimitedUpload(upload, this.#slots)
  }

  override resumeUpload(key: string, uploadId: string): Upload {
    return new LimitedUpload(this.inner.resumeUpload(key, uploadId), this.#slots)
  }

  override listUploads(
    options: NonNullable<Parameters<ObjectStore['listUploads']>[0]> = {},
  ): Promise<readonly PendingUpload[]> {
    return withSlot(this.#slots, 'listUploads', options, () => this.inner.listUploads(options))
  }

  override listParts(key: string, uploadId: string, options: CallOptions = {}): Promise<readonly CompletedPart[]> {
    return withSlot(this.#slots, 'listParts', options, () => this.inner.listParts(key, uploadId, options))
  }

  override copy(from: string, to: string, options: CopyOptions = {}): Promise<WriteResult> {
    return withSlot(this.#slots, 'copy', options, () => this.inner.copy(from, to, options))
  }

  override traits(key: string, options: TraitsOptions = {}): Promise<ObjectTraits> {
    return withSlot(this.#slots, 'traits', options, () => this.inner.traits(key, options))
  }

  override delete(entries: readonly DeleteEntry[], options: CallOptions = {}): Promise<readonly DeleteResult[]> {
    return withSlot(this.#slots, 'delete', options, () => this.inner.delete(entries, options))
  }

  protected override wrapPowers(powers: Powers): Powers {
    return aroundPowers(powers, ({ operation, options }, run) =>
      withSlot(this.#slots, operation, options, () => run(options)),
    )
  }
}

class LimitedUpload extends UploadLayer {
  readonly #slots: Slots

  constructor(inner: Upload, slots: Slots) {
    super(inner)
    this.#slots = slots
  }

  override part(number: number, body: Body, options: CallOptions = {}): Promise<CompletedPart> {
    return withSlot(this.#slots, 'part', options, () => this.inner.part(number, body, options))
  }

  override copyPart(number: number, source: CopyPartSource, options: CallOptions = {}): Promise<CompletedPart> {
    return withSlot(this.#slots, 'copyPart', options, () => this.inner.copyPart(number, source, options))
  }

  override complete(
    parts: readonly CompletedPart[],
    options: CallOptions & WriteConditions = {},
  ): Promise<WriteResult> {
    return withSlot(this.#slots, 'complete', options, () => this.inner.complete(parts, options))
  }

  override abort(options: CallOptions = {}): Promise<void> {
    return withSlot(this.#slots, 'abort', options, () => this.inner.abort(options))
  }
}

type SlotOptions = Omit<PrepareReadOptions, 'ifMatch'>

async function withSlot<T>(
  slots: Slots,
  operation: StoreOperation,
  options: SlotOptions,
  call: () => Promise<T>,
): Promise<T> {
  throwIfAborted(options.signal, operation)
  const release = freeSlot(slots, options) ?? (await turnOf(slots, operation, options))
  try {
    return await call()
  } finally {
    release()
  }
}

function freeSlot(slots: Slots, { priority = 'demand' }: SlotOptions): Release | undefined {
  return slots.tryAcquire(priority)
}

async function turnOf(slots: Slots, operation: StoreOperation, options: SlotOptions): Promise<Release> {
  const { priority = 'demand', signal, urged, turn } = options
  turn?.waiting()
  const release = await slots.acquire(priority, signal, operation, urged)
  turn?.granted()
  return release
}

/** The body holds its slot until it has ended or was given up. */
function heldBody(
  body: AsyncIterable<Uint8Array>,
  release: Release,
  signal: Signal | undefined,
): AsyncIterable<Uint8Array> {
  const inner = body[Symbol.asyncIterator]()
  const close = async () => {
    try {
      await inner.return?.()
    } finally {
      release()
    }
  }
  async function* bytes() {
    try {
      for (;;) {
        const step = await inner.next()
        if (step.done === true) return
        yield step.value
      }
    } finally {
      await close()
    }
  }
  return closableBody(bytes(), close, signal)
}
