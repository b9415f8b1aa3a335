import type { FileHandle } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { areForAll, cannedGrants } from '../acl-grants.js'
import { copiedAttachments, keptAttachments } from '../attachments.js'
import { readBody } from '../body.js'
import { throwIfAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import { checkVersion } from '../conditions.js'
import { checkKey } from '../keys.js'
import { listQuery, PageBuilder } from '../listing.js'
import { type Log, SILENT } from '../log.js'
import type {
  Attachments,
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
import { checkRange, checkWholeRange, clampRange } from '../range.js'
import { Attributes } from './attributes.js'
import { FolderReader } from './folder-reader.js'
import { KeptTexts } from './kept-texts.js'
import { KeyLocks } from './key-locks.js'
import { KeyTree } from './key-paths.js'
import { type Layout, openLayout } from './layout.js'
import { KeyLister } from './list-keys.js'
import { onDisk, toStoreError, unlessMissing } from './local-errors.js'
import { localPowers } from './local-powers.js'
import { LocalUpload, type LocalUploadParts } from './local-upload.js'
import { infoOf, notFound, ObjectFiles } from './object-files.js'
import { bodyOf, fillFrom } from './object-reader.js'
import { copyBytes, ObjectWriter, writeAll } from './object-writer.js'
import { isPublicAcl } from './public-acl.js'
import { syncFolder } from './sync-folder.js'
import { UploadFolders } from './upload-folder.js'

const DELETE_AT_ONCE = 8
const GIB = 1024 ** 3
const TIB = 1024 ** 4

export interface LocalStoreOptions {
  /** Makes the folder when it does not exist. Default false: a folder that is missing is an error. */
  readonly create?: boolean | undefined
  /** False: side files even where the disk has extended attributes. Default true. */
  readonly useXattrs?: boolean | undefined
  /** The least size of a part but the last. Default 1. */
  readonly minPartBytes?: number | undefined
  /** Names of the folders listed last that are remembered, so that paging through a large one is fast. Default 200,000. */
  readonly maxRememberedNames?: number | undefined
  /** Where the folder is served by HTTP. Default: where it is served at present, if it is. */
  readonly publicUrl?: string | undefined
  readonly nowMs?: (() => number) | undefined
  readonly log?: Log | undefined
}

/**
 * Opens a folder as an object store. `unavailable` where it does not exist, `denied` where it can't be read,
 * `unsupported` where a newer program has changed its format.
 */
export async function openLocalStore(folder: string, options: LocalStoreOptions = {}): Promise<LocalStore> {
  const nowMs = options.nowMs ?? Date.now
  const layout = await onDisk('open', undefined, () =>
    openLayout(folder, options.create ?? false, nowMs(), options.log ?? SILENT),
  )
  return new LocalStore(layout, nowMs, options)
}

/**
 * A folder as an object store. Ordinary keys are plain files, so that other programs can put objects there and read
 * them; all else is below `.mount-bucket/`. Any number of processes may share the folder. Symbolic links are neither
 * objects nor folders of keys. The disk must tell upper from lower case.
 */
export class LocalStore implements ObjectStore {
  readonly url: string
  readonly capabilities: Capabilities
  readonly #tree: KeyTree
  readonly #files: ObjectFiles
  readonly #writer: ObjectWriter
  readonly #lister: KeyLister
  readonly #uploads: LocalUploadParts
  readonly #nowMs: () => number

  constructor(layout: Layout, nowMs: () => number, options: LocalStoreOptions) {
    this.url = pathToFileURL(layout.root).href
    const attributes = new Attributes(layout.side, options.useXattrs ?? true, layout.temporary)
    const locks = new KeyLocks(layout.locks)
    const folders = new UploadFolders(layout)
    this.#nowMs = nowMs
    this.#tree = new KeyTree(layout.reserved, layout.temporary)
    this.#files = new ObjectFiles(layout, this.#tree, attributes)
    this.#writer = new ObjectWriter(layout, this.#tree, this.#files, attributes, locks)
    this.capabilities = {
      conditions: { put: 'atomic', complete: 'atomic', copy: 'atomic', delete: 'atomic' },
      multipart: { minPartBytes: options.minPartBytes ?? 1, maxPartBytes: 5 * GIB, maxParts: 10_000 },
      copyPart: true,
      maxPutBytes: 16 * TIB,
      maxCopyBytes: 16 * TIB,
      maxMetadataBytes: 8192,
      keysMayNest: true,
      powers: localPowers({
        url: this.url,
        files: this.#files,
        writer: this.#writer,
        texts: new KeptTexts(layout),
        publicUrl: options.publicUrl,
        nowMs,
      }),
    }
    const maxNames = options.maxRememberedNames ?? 200_000
    this.#lister = new KeyLister(new FolderReader(layout, this.#tree, this.#files, maxNames, nowMs), attributes)
    this.#uploads = { folders, files: this.#files, writer: this.#writer, limits: this.capabilities.multipart }
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#call('head', key, options, () =>
      this.#files.withObject(key, 'head', async ({ stats, facts }) => infoOf(key, stats, facts)),
    )
  }

  async list(options: ListOptions = {}): Promise<ListPage> {
    const { signal } = options
    return onDisk('list', undefined, async () => {
      throwIfAborted(signal, 'list')
      const query = listQuery(options)
      const page = new PageBuilder(query)
      for await (const item of this.#lister.items(query)) {
        throwIfAborted(signal, 'list')
        if (!page.add(item)) break
      }
      return page.page()
    })
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    return this.#call('get', key, options, async () => {
      const object = await this.#files.open(key)
      if (object === undefined) throw notFound(key, 'get')
      try {
        checkVersion(options.ifMatch, object.facts.etag, 'get', key)
        const range = clampRange(options.range, Number(object.stats.size), 'get', key)
        return { info: infoOf(key, object.stats, object.facts), body: bodyOf(object, range, key, options.signal) }
      } catch (error) {
        await object.file.close()
        throw error
      }
    })
  }

  async prepareRead(key: string, range: ByteRange, options: PrepareReadOptions = {}): Promise<ReadPlan> {
    return this.#call('prepareRead', key, options, async () => {
      checkRange(range, 'prepareRead', key)
      const run: ReadPlan['run'] = (sink, signal) =>
        this.#call('get', key, { signal }, () =>
          this.#files.withObject(key, 'get', async object => {
            checkVersion(options.ifMatch, object.facts.etag, 'get', key)
            checkWholeRange(range, Number(object.stats.size), 'get', key)
            await fillFrom(object, range, sink, key, signal)
            return infoOf(key, object.stats, object.facts)
          }),
        )
      return { key, range, run }
    })
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<WriteResult> {
    return this.putStream(key, readBody(body, 'put', key, options.signal), options)
  }

  /** As `put`, of bytes whose number nobody knows before; what `chunks` throws ends it with nothing stored. */
  async putStream(key: string, chunks: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<WriteResult> {
    const { signal, ifMatch, ifNoneMatch } = options
    const fill = async (file: FileHandle) => {
      for await (const chunk of chunks) {
        throwIfAborted(signal, 'put', key)
        await writeAll(file, chunk)
      }
      throwIfAborted(signal, 'put', key)
    }
    return this.#call('put', key, options, async () => {
      const attachments = this.#kept(options, 'put', key)
      return this.#writer.write({ key, operation: 'put', attachments, fill, ifMatch, ifNoneMatch, signal })
    })
  }

  async createUpload(key: string, options: CallOptions & Attachments = {}): Promise<Upload> {
    return this.#call('createUpload', key, options, async () => {
      const attachments = this.#kept(options, 'createUpload', key)
      const uploadId = await this.#uploads.folders.create({ key, startedMs: this.#nowMs(), ...attachments })
      return this.resumeUpload(key, uploadId)
    })
  }

  resumeUpload(key: string, uploadId: string): Upload {
    return new LocalUpload(key, uploadId, this.#uploads)
  }

  async listUploads(options: CallOptions & { readonly prefix?: string } = {}): Promise<readonly PendingUpload[]> {
    return onDisk('listUploads', undefined, async () => {
      throwIfAborted(options.signal, 'listUploads')
      return this.#uploads.folders.list(options.prefix ?? '')
    })
  }

  async listParts(key: string, uploadId: string, options: CallOptions = {}): Promise<readonly CompletedPart[]> {
    return this.#call('listParts', key, options, async () => {
      const parts = await this.#uploads.folders.parts(key, uploadId, 'listParts')
      return parts.map(({ number, etag, sizeBytes }) => ({ number, etag, sizeBytes }))
    })
  }

  /** A folder knows of no other than whether everybody may read. */
  async traits(key: string, options: TraitsOptions = {}): Promise<ObjectTraits> {
    return this.#call('traits', key, options, async () => {
      if (options.only === 'others') return {}
      const object = await this.#files.open(key)
      await object?.file.close()
      return object?.facts.isPublic === true ? { grants: cannedGrants('public-read') } : {}
    })
  }

  /** A copy of an object onto itself changes what is kept with it in place; no byte is written anew. */
  async copy(from: string, to: string, options: CopyOptions = {}): Promise<WriteResult> {
    const { signal, ifMatch, ifNoneMatch, sourceIfMatch } = options
    return this.#call('copy', to, options, async () => {
      checkKey(from, 'copy')
      return this.#files.withObject(from, 'copy', async source => {
        checkVersion(sourceIfMatch, source.facts.etag, 'copy', from)
        const kept = copiedAttachments(options, source.facts, this.capabilities.maxMetadataBytes, 'copy', to)
        const attachments = { ...kept, isPublic: isPublicBy(options, 'copy', to) }
        const request = { key: to, operation: 'copy', attachments, ifMatch, ifNoneMatch, signal }
        if (from === to) return this.#writer.writeAttachments(request, sourceIfMatch)
        return this.#writer.write({ ...request, fill: (file, path) => copyBytes(source, file, path, signal) })
      })
    })
  }

  async delete(entries: readonly DeleteEntry[], options: CallOptions = {}): Promise<readonly DeleteResult[]> {
    throwIfAborted(options.signal, 'delete')
    const results: DeleteResult[] = entries.map(({ key }) => ({ key }))
    const folders = new Set<string>()
    const waiting = entries.entries()
    const worker = async () => {
      for (const [index, entry] of waiting) results[index] = await this.#delete(entry, options.signal, folders)
    }
    await Promise.all(Array.from({ length: DELETE_AT_ONCE }, worker))
    await onDisk('delete', undefined, async () => {
      for (const folder of folders) await unlessMissing(syncFolder(folder))
      for (const folder of folders) await this.#writer.removeEmptyFolders(folder)
    })
    return results
  }

  async close(): Promise<void> {}

  async #delete(
    { key, ifMatch }: DeleteEntry,
    signal: Signal | undefined,
    folders: Set<string>,
  ): Promise<DeleteResult> {
    try {
      checkKey(key, 'delete')
      for (const folder of await this.#writer.remove(key, ifMatch, signal)) folders.add(folder)
      return { key }
    } catch (error) {
      return { key, error: toStoreError(error, 'delete', key) }
    }
  }

  async #call<T>(
    operation: string,
    key: string,
    options: { readonly signal?: Signal | undefined },
    call: () => Promise<T>,
  ): Promise<T> {
    return onDisk(operation, key, async () => {
      checkKey(key, operation)
      throwIfAborted(options.signal, operation, key)
      return call()
    })
  }

  #kept(options: Attachments, operation: string, key: string) {
    const kept = keptAttachments(options, this.capabilities.maxMetadataBytes, operation, key)
    return { ...kept, isPublic: isPublicBy(options, operation, key) }
  }
}

function isPublicBy({ acl, traits }: Attachments, operation: string, key: string): boolean {
  return acl === undefined ? areForAll(traits?.grants) : isPublicAcl(acl, operation, key)
}
