import { checkKey } from '../keys.js'
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
  WriteResult,
} from '../object-store.js'
import type { Powers } from '../powers.js'
import { StoreError } from '../store-error.js'
import { prefixPowers } from './around-powers.js'
import { StoreLayer } from './store-layer.js'
import { UploadLayer } from './upload-layer.js'

/** The keys of a store that begin with `prefix`, without it. Errors name the keys of the whole store. */
export class PrefixLayer extends StoreLayer {
  readonly #prefix: string

  constructor(inner: ObjectStore, prefix: string) {
    super(inner)
    this.#prefix = prefix
  }

  override get url(): string {
    return `${this.inner.url}/${this.#prefix}`
  }

  override async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    return this.#strip(await this.inner.head(this.#full(key, 'head'), options))
  }

  override async list(options: ListOptions = {}): Promise<ListPage> {
    const { startAfter } = options
    const page = await this.inner.list({
      ...options,
      prefix: this.#prefix + (options.prefix ?? ''),
      startAfter: startAfter === undefined ? undefined : this.#prefix + startAfter,
    })
    return {
      ...page,
      objects: page.objects.map(object => this.#strip(object)),
      prefixes: page.prefixes.map(prefix => this.#without(prefix)),
    }
  }

  override async get(key: string, options?: GetOptions): Promise<GetResult> {
    const { info, body } = await this.inner.get(this.#full(key, 'get'), options)
    return { info: this.#strip(info), body }
  }

  override async prepareRead(key: string, range: ByteRange, options?: PrepareReadOptions): Promise<ReadPlan> {
    const plan = await this.inner.prepareRead(this.#full(key, 'prepareRead'), range, options)
    return { key, range, run: async (sink, signal) => this.#strip(await plan.run(sink, signal)) }
  }

  override async put(key: string, body: Body, options?: PutOptions): Promise<WriteResult> {
    return this.inner.put(this.#full(key, 'put'), body, options)
  }

  override async createUpload(key: string, options?: Parameters<ObjectStore['createUpload']>[1]): Promise<Upload> {
    return new PrefixedUpload(await this.inner.createUpload(this.#full(key, 'createUpload'), options), this.#prefix)
  }

  override resumeUpload(key: string, uploadId: string): Upload {
    return new PrefixedUpload(this.inner.resumeUpload(this.#prefix + key, uploadId), this.#prefix)
  }

  override async listUploads(
    options: Parameters<ObjectStore['listUploads']>[0] = {},
  ): Promise<readonly PendingUpload[]> {
    const uploads = await this.inner.listUploads({ ...options, prefix: this.#prefix + (options.prefix ?? '') })
    return uploads.map(upload => this.#strip(upload))
  }

  override async listParts(key: string, uploadId: string, options?: CallOptions): Promise<readonly CompletedPart[]> {
    return this.inner.listParts(this.#full(key, 'listParts'), uploadId, options)
  }

  override async traits(key: string, options?: TraitsOptions): Promise<ObjectTraits> {
    return this.inner.traits(this.#full(key, 'traits'), options)
  }

  override async copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult> {
    return this.inner.copy(this.#full(from, 'copy'), this.#full(to, 'copy'), options)
  }

  override async delete(entries: readonly DeleteEntry[], options?: CallOptions): Promise<readonly DeleteResult[]> {
    const results = await this.inner.delete(
      entries.map(entry => ({ ...entry, key: this.#prefix + entry.key })),
      options,
    )
    return results.map((result, i) => ({ ...result, key: entries[i]?.key ?? this.#without(result.key) }))
  }

  protected override wrapPowers(powers: Powers): Powers {
    return prefixPowers(powers, this.#prefix)
  }

  #full(key: string, operation: string): string {
    if (key === '') checkKey(key, operation)
    return this.#prefix + key
  }

  #strip<T extends { readonly key: string }>(item: T): T {
    return { ...item, key: this.#without(item.key) }
  }

  #without(key: string): string {
    if (key.startsWith(this.#prefix)) return key.slice(this.#prefix.length)
    throw new StoreError('corrupt', 'the store answered with a key outside the prefix', { key })
  }
}

class PrefixedUpload extends UploadLayer {
  readonly #prefix: string

  constructor(inner: Upload, prefix: string) {
    super(inner)
    this.#prefix = prefix
  }

  override get key(): string {
    return this.inner.key.slice(this.#prefix.length)
  }

  override copyPart(number: number, source: CopyPartSource, options?: CallOptions): Promise<CompletedPart> {
    return this.inner.copyPart(number, { ...source, key: this.#prefix + source.key }, options)
  }
}
