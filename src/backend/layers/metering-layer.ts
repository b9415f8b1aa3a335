import { bodySizeBytes } from '../body.js'
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
import type { Meter } from './meter.js'
import { StoreLayer } from './store-layer.js'
import { UploadLayer } from './upload-layer.js'

/** Counts what a store is asked and what it moves. Below the retry layer every try counts as a request. */
export class MeteringLayer extends StoreLayer {
  readonly #meter: Meter

  constructor(inner: ObjectStore, meter: Meter) {
    super(inner)
    this.#meter = meter
  }

  override head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    return this.#meter.count('head', () => this.inner.head(key, options))
  }

  override list(options?: ListOptions): Promise<ListPage> {
    return this.#meter.count('list', () => this.inner.list(options))
  }

  override async get(key: string, options?: GetOptions): Promise<GetResult> {
    const { info, body } = await this.#meter.count('get', () => this.inner.get(key, options))
    return { info, body: this.#meter.countBody(body) }
  }

  override async prepareRead(key: string, range: ByteRange, options?: PrepareReadOptions): Promise<ReadPlan> {
    const plan = await this.inner.prepareRead(key, range, options)
    return {
      key: plan.key,
      range: plan.range,
      run: (sink, signal) => this.#meter.count('get', () => plan.run(this.#meter.countSink(sink), signal)),
    }
  }

  override put(key: string, body: Body, options?: PutOptions): Promise<WriteResult> {
    return this.#meter.count('put', () => this.inner.put(key, body, options), bodySizeBytes(body))
  }

  override async createUpload(key: string, options?: Parameters<ObjectStore['createUpload']>[1]): Promise<Upload> {
    const upload = await this.#meter.count('createUpload', () => this.inner.createUpload(key, options))
    return new MeteredUpload(upload, this.#meter)
  }

  override resumeUpload(key: string, uploadId: string): Upload {
    return new MeteredUpload(this.inner.resumeUpload(key, uploadId), this.#meter)
  }

  override listUploads(options?: Parameters<ObjectStore['listUploads']>[0]): Promise<readonly PendingUpload[]> {
    return this.#meter.count('listUploads', () => this.inner.listUploads(options))
  }

  override listParts(key: string, uploadId: string, options?: CallOptions): Promise<readonly CompletedPart[]> {
    return this.#meter.count('listParts', () => this.inner.listParts(key, uploadId, options))
  }

  override copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult> {
    return this.#meter.count('copy', () => this.inner.copy(from, to, options))
  }

  override traits(key: string, options?: TraitsOptions): Promise<ObjectTraits> {
    return this.#meter.count('traits', () => this.inner.traits(key, options))
  }

  override async delete(entries: readonly DeleteEntry[], options?: CallOptions): Promise<readonly DeleteResult[]> {
    const results = await this.#meter.count('delete', () => this.inner.delete(entries, options))
    for (const { error } of results) if (error !== undefined) this.#meter.countError('delete', error)
    return results
  }

  protected override wrapPowers(powers: Powers): Powers {
    return aroundPowers(powers, ({ operation, options }, run) => this.#meter.count(operation, () => run(options)))
  }
}

class MeteredUpload extends UploadLayer {
  readonly #meter: Meter

  constructor(inner: Upload, meter: Meter) {
    super(inner)
    this.#meter = meter
  }

  override part(number: number, body: Body, options?: CallOptions): Promise<CompletedPart> {
    return this.#meter.count('part', () => this.inner.part(number, body, options), bodySizeBytes(body))
  }

  override copyPart(number: number, source: CopyPartSource, options?: CallOptions): Promise<CompletedPart> {
    return this.#meter.count('copyPart', () => this.inner.copyPart(number, source, options))
  }

  override complete(parts: readonly CompletedPart[], options?: CallOptions & WriteConditions): Promise<WriteResult> {
    return this.#meter.count('complete', () => this.inner.complete(parts, options))
  }

  override abort(options?: CallOptions): Promise<void> {
    return this.#meter.count('abort', () => this.inner.abort(options))
  }
}
