import { randomUUID } from 'node:crypto'
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CompletedPart, PendingUpload } from '../object-store.js'
import { StoreError } from '../store-error.js'
import type { LocalAttachments } from './attributes.js'
import type { Layout } from './layout.js'
import { unlessMissing } from './local-errors.js'
import { syncFolder } from './sync-folder.js'

const UPLOAD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const PART_NAME = /^(\d{5})\.(.+)$/
const BEGIN_FILE = 'upload.json'

/** What was said when the upload began. */
interface Beginning extends LocalAttachments {
  readonly key: string
  readonly startedMs: number
}

export interface PartFile extends CompletedPart {
  readonly path: string
}

interface FoundPart extends PartFile {
  readonly mtimeNs: bigint
}

/**
 * The unfinished uploads of a store: a folder each, with `upload.json` and a file `NNNNN.<etag>` for every part. Any
 * process that shares the store's folder can go on with them.
 */
export class UploadFolders {
  readonly #layout: Layout

  constructor(layout: Layout) {
    this.#layout = layout
  }

  async create(beginning: Beginning): Promise<string> {
    await this.#layout.prepareWriting()
    const uploadId = randomUUID()
    const folder = this.#folder(uploadId)
    await mkdir(this.#layout.uploads, { recursive: true })
    await mkdir(folder)
    const temporary = this.#layout.temporary()
    await writeFile(temporary, JSON.stringify(beginning), { flush: true })
    await rename(temporary, join(folder, BEGIN_FILE))
    await syncFolder(folder)
    await syncFolder(this.#layout.uploads)
    return uploadId
  }

  /** Throws `no-such-upload` unless there is one of this id for this key. */
  async find(key: string, uploadId: string, operation: string): Promise<Beginning> {
    const beginning = await this.#beginning(uploadId)
    if (beginning?.key !== key) throw noSuchUpload(key, operation)
    return beginning
  }

  async list(prefix: string): Promise<readonly PendingUpload[]> {
    const uploads: PendingUpload[] = []
    for (const uploadId of (await unlessMissing(readdir(this.#layout.uploads))) ?? []) {
      const beginning = await this.#beginning(uploadId)
      if (beginning?.key.startsWith(prefix) !== true) continue
      uploads.push({ key: beginning.key, uploadId, startedMs: beginning.startedMs })
    }
    return uploads
  }

  /** The latest version of every part, in the order of their numbers. */
  async parts(key: string, uploadId: string, operation: string): Promise<readonly PartFile[]> {
    await this.find(key, uploadId, operation)
    const latest = new Map<number, FoundPart>()
    for (const part of await this.#files(uploadId)) {
      const other = latest.get(part.number)
      if (other === undefined || isOlder(other, part)) latest.set(part.number, part)
    }
    return [...latest.values()].sort((a, b) => a.number - b.number)
  }

  /** Stores what `fill` writes as a part, and drops the versions of it that are older. */
  async putPart(
    key: string,
    uploadId: string,
    number: number,
    operation: string,
    fill: (file: FileHandle) => Promise<void>,
  ): Promise<CompletedPart> {
    await this.find(key, uploadId, operation)
    const temporary = this.#layout.temporary()
    const file = await open(temporary, 'wx')
    try {
      await fill(file)
      await file.sync()
      const sizeBytes = Number((await file.stat({ bigint: true })).size)
      const etag = `p-${randomUUID()}`
      const name = `${String(number).padStart(5, '0')}.${etag}`
      const moved = rename(temporary, join(this.#folder(uploadId), name)).then(() => true)
      if ((await unlessMissing(moved)) !== true) throw noSuchUpload(key, operation)
      await unlessMissing(syncFolder(this.#folder(uploadId)))
      await this.#dropOlder(uploadId, number, etag)
      return { number, etag, sizeBytes }
    } finally {
      await file.close()
      await unlessMissing(unlink(temporary))
    }
  }

  /** After it the upload does not exist. What is gone already is no error. */
  async remove(key: string, uploadId: string): Promise<void> {
    const beginning = await this.#beginning(uploadId)
    if (beginning?.key !== key) return
    await unlessMissing(unlink(join(this.#folder(uploadId), BEGIN_FILE)))
    await rm(this.#folder(uploadId), { recursive: true, force: true })
  }

  async #beginning(uploadId: string): Promise<Beginning | undefined> {
    if (!UPLOAD_ID.test(uploadId)) return undefined
    const text = await unlessMissing(readFile(join(this.#folder(uploadId), BEGIN_FILE), 'utf8'))
    // What is there was written whole by this class.
    return text === undefined ? undefined : (JSON.parse(text) as Beginning)
  }

  async #files(uploadId: string): Promise<FoundPart[]> {
    const folder = this.#folder(uploadId)
    const found: FoundPart[] = []
    for (const name of (await unlessMissing(readdir(folder))) ?? []) {
      const [, number, etag] = PART_NAME.exec(name) ?? []
      const path = join(folder, name)
      const stats = etag === undefined ? undefined : await unlessMissing(lstat(path, { bigint: true }))
      if (stats === undefined || etag === undefined) continue
      found.push({ number: Number(number), etag, sizeBytes: Number(stats.size), path, mtimeNs: stats.mtimeNs })
    }
    return found
  }

  async #dropOlder(uploadId: string, number: number, etag: string): Promise<void> {
    const versions = (await this.#files(uploadId)).filter(part => part.number === number)
    const mine = versions.find(part => part.etag === etag)
    if (mine === undefined) return
    for (const other of versions) if (isOlder(other, mine)) await unlessMissing(unlink(other.path))
  }

  #folder(uploadId: string): string {
    return join(this.#layout.uploads, uploadId)
  }
}

function isOlder(a: FoundPart, b: FoundPart): boolean {
  return a.mtimeNs < b.mtimeNs || (a.mtimeNs === b.mtimeNs && a.etag < b.etag)
}

function noSuchUpload(key: string, operation: string): StoreError {
  return new StoreError('no-such-upload', `${operation}: no such upload`, { key, operation })
}
