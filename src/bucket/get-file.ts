import { randomUUID } from 'node:crypto'
import type { Stats } from 'node:fs'
import { lstat, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { unlessMissing } from '../backend/local/local-errors.js'
import type { ObjectInfo, ObjectVersion } from '../backend/object-store.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import type { BucketServices } from './bucket-services.js'
import { download } from './download.js'
import { DOWNLOAD_BYTES } from './download-memory.js'
import { type BucketGetOptions, rangeOf } from './get.js'
import { onLocalDisk } from './local-file.js'
import { PartialFile, RIGHTS } from './partial-file.js'
import { Tally } from './progress.js'
import { pathFault } from './target-folder.js'
import { type Verification, verificationOf } from './verification.js'

export interface GetFileResult {
  readonly key: string
  readonly path: string
  /** Of the file. */
  readonly sizeBytes: number
  /** Of those the bytes that an interrupted try had left. */
  readonly resumedBytes: number
  readonly etag: string
}

/**
 * Fetches an object into a file, which appears or changes only as a whole; folders are made as needed. A larger one that
 * is interrupted leaves its beginning beside the file, with which the next try of the same version goes on.
 */
export async function getFile(
  services: BucketServices,
  key: string,
  path?: string,
  options: BucketGetOptions = {},
): Promise<GetFileResult> {
  const { signal, ifMatch } = options
  const range = rangeOf(options, key)
  const fault = path === undefined ? pathFault(key) : undefined
  if (fault !== undefined) throw new StoreError('invalid', `${key}: ${fault}; name a file`, { key, operation: 'get' })
  const target = await targetOf(path ?? key)
  const info = await services.store.head(key, { signal })
  if (ifMatch !== undefined && info.etag !== ifMatch)
    throw new StoreError('precondition-failed', `${key}: the object is another version`, { key, operation: 'get' })
  if (range !== undefined && range.offset >= info.sizeBytes)
    throw new StoreError('invalid', `${key}: the range begins at ${range.offset} of ${info.sizeBytes} bytes`, {
      key,
      operation: 'get',
      code: 'InvalidRange',
    })
  const end = range === undefined ? info.sizeBytes : Math.min(info.sizeBytes, range.offset + range.lengthBytes)
  const span = { offset: range?.offset ?? 0, end, isWhole: range === undefined }
  return new Fetch(services, info, target, span, options).run()
}

/**
 * The same of an object that a listing has told of, at a path without links in a folder that is there: costs a request less.
 * Rejects with `invalid` where that is something else by now: who else writes to the folder can't lead the bytes elsewhere.
 */
export async function getListedFile(
  services: BucketServices,
  object: ObjectVersion,
  path: string,
  options: Omit<BucketGetOptions, 'startByte' | 'endByte' | 'ifMatch'> = {},
): Promise<GetFileResult> {
  const span = { offset: 0, end: object.sizeBytes, isWhole: true }
  return new Fetch(services, object, await plainTargetOf(path), span, options).run()
}

interface Target {
  readonly path: string
  /** Pipes and devices are written to as they are. */
  readonly isRegular: boolean
}

interface Span {
  readonly offset: number
  readonly end: number
  readonly isWhole: boolean
}

/** With what HEAD has told beside, and GET does not. */
type FetchedObject = ObjectVersion & Pick<ObjectInfo, 'checksums'>

class Fetch {
  readonly #services: BucketServices
  readonly #object: FetchedObject
  readonly #target: Target
  readonly #span: Span
  readonly #options: BucketGetOptions
  readonly #tally: Tally
  #verification: Verification | undefined
  #isBegun = false

  constructor(services: BucketServices, object: FetchedObject, target: Target, span: Span, options: BucketGetOptions) {
    this.#services = services
    this.#object = object
    this.#target = target
    this.#span = span
    this.#options = options
    this.#tally = new Tally(options.onProgress, span.end - span.offset, object.key)
  }

  async run(): Promise<GetFileResult> {
    const { offset, end } = this.#span
    if (!this.#target.isRegular) return this.#into(() => this.#openDevice())
    return end - offset > DOWNLOAD_BYTES ? this.#resumable() : this.#into(() => this.#openTemporary())
  }

  /** What is small is fetched anew after a failure. Nothing is begun before there is something to write, which a kill would leave. */
  async #into(open: () => Promise<Destination>): Promise<GetFileResult> {
    let opening: Promise<Destination> | undefined
    const opened = () => {
      opening ??= open()
      return opening
    }
    try {
      await this.#fetch(this.#span.offset, async bytes => (await opened()).write(bytes))
      await (await opened()).commit()
    } catch (error) {
      await opening?.then(
        destination => destination.remove(),
        () => undefined,
      )
      throw error
    }
    return this.#result(0)
  }

  async #resumable(): Promise<GetFileResult> {
    const { offset, end } = this.#span
    const { key, etag } = this.#object
    const version = JSON.stringify([this.#services.store.url, key, etag, offset, end])
    const partial = await PartialFile.claim(this.#target.path, version, end - offset)
    const resumedBytes = partial.sizeBytes
    try {
      await this.#beginAgain(partial)
      await this.#fetch(offset + resumedBytes, bytes => partial.append(bytes))
      await partial.commit()
    } catch (error) {
      // The beginning of bytes that are wrong, or of a version that is no more, is of no use to anybody.
      if (isStoreError(error, 'corrupt', 'precondition-failed', 'not-found')) await partial.remove()
      else await partial.keep()
      throw error
    }
    return this.#result(resumedBytes)
  }

  /** What is there already counts as moved, and goes into the checksum. */
  async #beginAgain(partial: PartialFile): Promise<void> {
    if (partial.sizeBytes === 0) return
    this.#tally.add(partial.sizeBytes)
    if (!this.#isVerified()) return
    const { signal } = this.#options
    const info = await this.#services.store.head(this.#object.key, { signal })
    await this.#begin(info)
    if (this.#verification !== undefined) await partial.readAll(bytes => this.#verification?.update(bytes))
  }

  async #fetch(offset: number, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    const { key, etag } = this.#object
    await download(this.#services.store, {
      key,
      etag,
      offset,
      end: this.#span.end,
      memory: this.#services.downloadMemory,
      signal: this.#options.signal,
      write: async (bytes, info) => {
        await this.#begin(info)
        this.#verification?.update(bytes)
        await write(bytes)
        this.#tally.add(bytes.byteLength)
      },
    })
    await this.#verification?.finish()
  }

  /** The first reply tells what the bytes are to be compared with. */
  async #begin(info: ObjectInfo): Promise<void> {
    if (this.#isBegun) return
    this.#isBegun = true
    if (!this.#isVerified()) return
    const { signal } = this.#options
    const { checksums = this.#object.checksums } = info
    this.#verification = await verificationOf(this.#services.store, { ...info, checksums }, { signal })
  }

  #isVerified(): boolean {
    return this.#options.verify !== false && this.#span.isWhole
  }

  #result(resumedBytes: number): GetFileResult {
    const { key, etag } = this.#object
    return { key, path: this.#target.path, sizeBytes: this.#span.end - this.#span.offset, resumedBytes, etag }
  }

  #openTemporary(): Promise<Destination> {
    const { path } = this.#target
    const temporary = join(dirname(path), `.${basename(path).slice(0, 60)}.${randomUUID()}.bucket-part`)
    return onLocalDisk(path, 'get', async () => {
      const before = await stat(path).catch(() => undefined)
      const handle = await open(temporary, 'wx')
      return {
        write: bytes => onLocalDisk(path, 'get', () => handle.writeFile(bytes)),
        commit: () =>
          onLocalDisk(path, 'get', async () => {
            if (before !== undefined) await handle.chmod(before.mode & RIGHTS).catch(() => undefined)
            await handle.close()
            await rename(temporary, path)
          }),
        remove: async () => {
          await handle.close().catch(() => undefined)
          await rm(temporary, { force: true }).catch(() => undefined)
        },
      }
    })
  }

  #openDevice(): Promise<Destination> {
    const { path } = this.#target
    return onLocalDisk(path, 'get', async () => {
      const handle = await open(path, 'w')
      const close = () => onLocalDisk(path, 'get', () => handle.close())
      return {
        write: bytes => onLocalDisk(path, 'get', () => handle.writeFile(bytes)),
        commit: close,
        remove: () => close().catch(() => undefined),
      }
    })
  }
}

interface Destination {
  write(bytes: Uint8Array): Promise<void>
  commit(): Promise<void>
  /** Never rejects. */
  remove(): Promise<void>
}

/** Where the bytes go: what a symbolic link leads to, in folders that are there. Rejects with `invalid` for a folder. */
async function targetOf(path: string): Promise<Target> {
  return onLocalDisk(path, 'get', async () => {
    const real = await realpath(path).catch(() => path)
    const stats = await stat(real).catch((): Stats | undefined => undefined)
    if (stats?.isDirectory() === true || path.endsWith('/'))
      throw new StoreError('invalid', `${path}: it is a folder`, { operation: 'get', code: 'EISDIR' })
    if (stats !== undefined) return { path: real, isRegular: stats.isFile() }
    await makeFolder(dirname(real))
    return { path: real, isRegular: true }
  })
}

async function plainTargetOf(path: string): Promise<Target> {
  return onLocalDisk(path, 'get', async () => {
    const [folder, stats] = await Promise.all([realpath(dirname(path)), unlessMissing(lstat(path))])
    if (folder === dirname(path) && stats?.isFile() !== false) return { path, isRegular: true }
    throw new StoreError('invalid', `${path}: a link or a folder has come there`, { operation: 'get', code: 'EEXIST' })
  })
}

/** With the folders above. Rejects with `invalid` where something else has the name. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (cause) {
    // What is there already is no folder.
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    throw new StoreError('invalid', `${path}: it is no folder`, { cause, operation: 'get', code: 'ENOTDIR' })
  }
}
