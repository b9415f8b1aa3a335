import type {
  Body,
  ByteRange,
  CallOptions,
  Capabilities,
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
  PendingUpload,
  PrepareReadOptions,
  PutOptions,
  ReadPlan,
  TraitsOptions,
  Upload,
  WriteResult,
} from '../object-store.js'
import type { Powers } from '../powers.js'

/** A store around a store that passes everything on. A layer extends it and overrides what it is about. */
export abstract class StoreLayer implements ObjectStore {
  protected readonly inner: ObjectStore
  /** The store's capabilities with this layer around the powers; made anew when the store answers others. */
  #capabilities: { readonly of: Capabilities; readonly own: Capabilities } | undefined

  constructor(inner: ObjectStore) {
    this.inner = inner
  }

  get url(): string {
    return this.inner.url
  }

  get capabilities(): Capabilities {
    const of = this.inner.capabilities
    if (this.#capabilities?.of !== of) this.#capabilities = { of, own: { ...of, powers: this.wrapPowers(of.powers) } }
    return this.#capabilities.own
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    return this.inner.head(key, options)
  }

  list(options?: ListOptions): Promise<ListPage> {
    return this.inner.list(options)
  }

  get(key: string, options?: GetOptions): Promise<GetResult> {
    return this.inner.get(key, options)
  }

  prepareRead(key: string, range: ByteRange, options?: PrepareReadOptions): Promise<ReadPlan> {
    return this.inner.prepareRead(key, range, options)
  }

  put(key: string, body: Body, options?: PutOptions): Promise<WriteResult> {
    return this.inner.put(key, body, options)
  }

  createUpload(key: string, options?: Parameters<ObjectStore['createUpload']>[1]): Promise<Upload> {
    return this.inner.createUpload(key, options)
  }

  resumeUpload(key: string, uploadId: string): Upload {
    return this.inner.resumeUpload(key, uploadId)
  }

  listUploads(options?: Parameters<ObjectStore['listUploads']>[0]): Promise<readonly PendingUpload[]> {
    return this.inner.listUploads(options)
  }

  listParts(key: string, uploadId: string, options?: CallOptions): Promise<readonly CompletedPart[]> {
    return this.inner.listParts(key, uploadId, options)
  }

  copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult> {
    return this.inner.copy(from, to, options)
  }

  traits(key: string, options?: TraitsOptions): Promise<ObjectTraits> {
    return this.inner.traits(key, options)
  }

  delete(entries: readonly DeleteEntry[], options?: CallOptions): Promise<readonly DeleteResult[]> {
    return this.inner.delete(entries, options)
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  protected wrapPowers(powers: Powers): Powers {
    return powers
  }
}
