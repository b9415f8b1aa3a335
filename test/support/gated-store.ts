import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import type { StoreOperation } from '../../src/backend/layers/store-operation.js'
import { UploadLayer } from '../../src/backend/layers/upload-layer.js'
import type {
  Body,
  ByteRange,
  CompletedPart,
  CopyOptions,
  DeleteEntry,
  DeleteResult,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  ObjectTraits,
  PrepareReadOptions,
  PutOptions,
  ReadPlan,
  TraitsOptions,
  Upload,
  WriteResult,
} from '../../src/backend/object-store.js'

/** Where a call waits: before it reaches the store, or with the store's answer in hand. */
type GatePlace = 'before' | 'after'

interface Gate {
  /** Resolves when a call stands at the gate. */
  readonly reached: Promise<void>
  open(): void
}

interface ClosedGate extends Gate {
  readonly operation: StoreOperation
  readonly place: GatePlace
  readonly opened: Promise<void>
  arrive(): void
}

/** Holds single calls for as long as a test wants, so that what happens meanwhile is no matter of time. */
export class GatedStore extends StoreLayer {
  readonly #gates: ClosedGate[] = []

  /** The next call of this kind waits. */
  hold(operation: StoreOperation, place: GatePlace): Gate {
    let arrive = () => {}
    let open = () => {}
    const reached = new Promise<void>(resolve => {
      arrive = resolve
    })
    const opened = new Promise<void>(resolve => {
      open = resolve
    })
    const gate = { operation, place, reached, opened, arrive: () => arrive(), open: () => open() }
    this.#gates.push(gate)
    return gate
  }

  override head(key: string): Promise<ObjectInfo> {
    return this.pass('head', () => this.inner.head(key))
  }

  override get(key: string, options?: GetOptions): Promise<GetResult> {
    return this.pass('get', () => this.inner.get(key, options))
  }

  override list(options?: ListOptions): Promise<ListPage> {
    return this.pass('list', () => this.inner.list(options))
  }

  override async prepareRead(key: string, range: ByteRange, options?: PrepareReadOptions): Promise<ReadPlan> {
    const plan = await this.inner.prepareRead(key, range, options)
    return { key, range, run: (sink, signal) => this.pass('get', () => plan.run(sink, signal)) }
  }

  override traits(key: string, options?: TraitsOptions): Promise<ObjectTraits> {
    return this.pass('traits', () => this.inner.traits(key, options))
  }

  override put(key: string, body: Body, options?: PutOptions): Promise<WriteResult> {
    return this.pass('put', () => this.inner.put(key, body, options))
  }

  override async createUpload(key: string, options?: Parameters<ObjectStore['createUpload']>[1]): Promise<Upload> {
    return new GatedUpload(await this.inner.createUpload(key, options), this)
  }

  override copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult> {
    return this.pass('copy', () => this.inner.copy(from, to, options))
  }

  override delete(entries: readonly DeleteEntry[]): Promise<readonly DeleteResult[]> {
    return this.pass('delete', () => this.inner.delete(entries))
  }

  async pass<T>(operation: StoreOperation, call: () => Promise<T>): Promise<T> {
    const at = this.#gates.findIndex(gate => gate.operation === operation)
    const [gate] = at < 0 ? [] : this.#gates.splice(at, 1)
    if (gate?.place === 'before') await wait(gate)
    const result = await call()
    if (gate?.place === 'after') await wait(gate)
    return result
  }
}

class GatedUpload extends UploadLayer {
  readonly #store: GatedStore

  constructor(inner: Upload, store: GatedStore) {
    super(inner)
    this.#store = store
  }

  override part(...given: Parameters<Upload['part']>): Promise<CompletedPart> {
    return this.#store.pass('part', () => this.inner.part(...given))
  }

  override copyPart(...given: Parameters<Upload['copyPart']>): Promise<CompletedPart> {
    return this.#store.pass('copyPart', () => this.inner.copyPart(...given))
  }

  override abort(...given: Parameters<Upload['abort']>): Promise<void> {
    return this.#store.pass('abort', () => this.inner.abort(...given))
  }

  override complete(...given: Parameters<Upload['complete']>): Promise<WriteResult> {
    return this.#store.pass('complete', () => this.inner.complete(...given))
  }
}

function wait(gate: ClosedGate): Promise<void> {
  gate.arrive()
  return gate.opened
}
