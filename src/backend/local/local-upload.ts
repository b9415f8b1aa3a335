import { constants } from 'node:fs'
import { copyFile, open } from 'node:fs/promises'
import { readBody } from '../body.js'
import { throwIfAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import { checkConditions, checkVersion } from '../conditions.js'
import { checkKey } from '../keys.js'
import type {
  Body,
  CallOptions,
  Capabilities,
  CompletedPart,
  CopyPartSource,
  Upload,
  WriteConditions,
  WriteResult,
} from '../object-store.js'
import { checkedParts, checkPartNumber } from '../part-list.js'
import { checkWholeRange } from '../range.js'
import { onDisk } from './local-errors.js'
import type { ObjectFiles } from './object-files.js'
import { appendBytes, type ObjectWriter, writeAll } from './object-writer.js'
import type { PartFile, UploadFolders } from './upload-folder.js'

export interface LocalUploadParts {
  readonly folders: UploadFolders
  readonly files: ObjectFiles
  readonly writer: ObjectWriter
  readonly limits: Capabilities['multipart']
}

/** An upload whose state is all in its folder; this is only the way to it. */
export class LocalUpload implements Upload {
  readonly key: string
  readonly uploadId: string
  readonly #store: LocalUploadParts

  constructor(key: string, uploadId: string, store: LocalUploadParts) {
    this.key = key
    this.uploadId = uploadId
    this.#store = store
  }

  async part(number: number, body: Body, options: CallOptions = {}): Promise<CompletedPart> {
    const { key } = this
    const { signal } = options
    return onDisk('part', key, async () => {
      checkPartNumber(number, this.#store.limits, 'part', key)
      throwIfAborted(signal, 'part', key)
      return this.#store.folders.putPart(key, this.uploadId, number, 'part', async file => {
        for await (const chunk of readBody(body, 'part', key, signal)) await writeAll(file, chunk)
        throwIfAborted(signal, 'part', key)
      })
    })
  }

  async copyPart(number: number, source: CopyPartSource, options: CallOptions = {}): Promise<CompletedPart> {
    const { key } = this
    const { signal } = options
    return onDisk('copyPart', key, async () => {
      checkPartNumber(number, this.#store.limits, 'copyPart', key)
      checkKey(source.key, 'copyPart')
      throwIfAborted(signal, 'copyPart', key)
      await this.#store.folders.find(key, this.uploadId, 'copyPart')
      return this.#store.files.withObject(source.key, 'copyPart', async ({ file, stats, facts }) => {
        checkVersion(source.sourceIfMatch, facts.etag, 'copyPart', source.key)
        const { offset, lengthBytes } = source.range
        checkWholeRange(source.range, Number(stats.size), 'copyPart', source.key)
        return this.#store.folders.putPart(key, this.uploadId, number, 'copyPart', to =>
          appendBytes(file, to, offset, lengthBytes, signal, 'copyPart'),
        )
      })
    })
  }

  async complete(parts: readonly CompletedPart[], options: CallOptions & WriteConditions = {}): Promise<WriteResult> {
    const { key, uploadId } = this
    const { folders, files, writer, limits } = this.#store
    const { signal, ifMatch, ifNoneMatch } = options
    return onDisk('complete', key, async () => {
      throwIfAborted(signal, 'complete', key)
      const { metadata, headers, isPublic = false } = await folders.find(key, uploadId, 'complete')
      const stored = new Map((await folders.parts(key, uploadId, 'complete')).map(part => [part.number, part]))
      const chosen = checkedParts(parts, number => stored.get(number), limits, key)
      checkConditions(options, await files.etagOf(key), 'complete', key)
      return writer.write({
        key,
        operation: 'complete',
        attachments: { metadata, headers, isPublic },
        ifMatch,
        ifNoneMatch,
        signal,
        fill: (_, path) => this.#join(chosen, path, signal),
        check: async () => void (await folders.find(key, uploadId, 'complete')),
        placed: () => folders.remove(key, uploadId),
      })
    })
  }

  async abort(options: CallOptions = {}): Promise<void> {
    return onDisk('abort', this.key, async () => {
      throwIfAborted(options.signal, 'abort', this.key)
      await this.#store.folders.remove(this.key, this.uploadId)
    })
  }

  /** The first part shares its blocks with the object where the disk can; the others are copied behind it. */
  async #join(parts: readonly PartFile[], path: string, signal?: Signal): Promise<void> {
    const [first, ...others] = parts
    if (first === undefined) return
    await copyFile(first.path, path, constants.COPYFILE_FICLONE)
    const appending = await open(path, 'a')
    try {
      for (const { path: partPath, sizeBytes } of others) {
        const part = await open(partPath)
        try {
          await appendBytes(part, appending, 0, sizeBytes, signal, 'complete')
        } finally {
          await part.close()
        }
      }
    } finally {
      await appending.close()
    }
  }
}
