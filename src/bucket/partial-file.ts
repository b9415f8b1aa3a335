import { createHash, randomBytes } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { readdir, rename, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { OwnedFile } from '../backend/local/owned-file.js'
import { StoreError } from '../backend/store-error.js'
import { onLocalDisk } from './local-file.js'

const SUFFIX = '.bucket-part'
const READ_BYTES = 1024 * 1024
/** Names are cut, so that they stay within what a file system takes. */
const MAX_BASE_BYTES = 150
/** What a file keeps of the mode of the one whose place it takes: set-user-ID of another owner would be this one's. */
export const RIGHTS = 0o777

/**
 * The beginning of a file that is being fetched, beside it under a name that tells of which version it is
 * (`.NAME.VERSION.RANDOM.bucket-part`): all of its bytes are right at every moment, since it only grows. It is its
 * process's own (OwnedFile) while it is worked on; with one that nobody works on the next try goes on.
 */
export class PartialFile {
  readonly target: string
  readonly #names: PartNames
  readonly #file: OwnedFile
  readonly #wholeBytes: number
  #sizeBytes: number

  private constructor(names: PartNames, file: OwnedFile, wholeBytes: number, sizeBytes: number) {
    this.target = names.target
    this.#names = names
    this.#file = file
    this.#wholeBytes = wholeBytes
    this.#sizeBytes = sizeBytes
  }

  /** `version` names the bytes, `wholeBytes` of them: what an earlier try has left of other ones is not taken. */
  static claim(target: string, version: string, wholeBytes: number): Promise<PartialFile> {
    return onLocalDisk(target, 'get', async () => {
      const names = new PartNames(target, version)
      const file = (await leftOver(names)) ?? (await fresh(names))
      try {
        const { size } = await file.handle.stat()
        if (size > wholeBytes) await file.handle.truncate(0)
        return new PartialFile(names, file, wholeBytes, size > wholeBytes ? 0 : size)
      } catch (error) {
        await file.close()
        throw error
      }
    })
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  append(bytes: Uint8Array): Promise<void> {
    return onLocalDisk(this.target, 'get', async () => {
      for (let done = 0; done < bytes.byteLength; )
        done += (await this.#file.handle.write(bytes, done, bytes.byteLength - done, this.#sizeBytes + done))
          .bytesWritten
      this.#sizeBytes += bytes.byteLength
    })
  }

  /** Calls `use` with all bytes so far, in order. */
  readAll(use: (bytes: Uint8Array) => void): Promise<void> {
    return onLocalDisk(this.target, 'get', async () => {
      const buffer = Buffer.allocUnsafe(READ_BYTES)
      for (let at = 0; at < this.#sizeBytes; ) {
        const { bytesRead } = await this.#file.handle.read(buffer, 0, Math.min(READ_BYTES, this.#sizeBytes - at), at)
        if (bytesRead === 0) throw new Error('it became shorter while it was read')
        use(buffer.subarray(0, bytesRead))
        at += bytesRead
      }
    })
  }

  /**
   * It is whole: takes the place of the target, with whose rights it goes. Rejects with `corrupt` when another program has changed
   * its length, or has put something else in its place.
   */
  commit(): Promise<void> {
    return onLocalDisk(this.target, 'get', async () => {
      const before = await stat(this.target).catch(() => undefined)
      if (before !== undefined) await this.#file.handle.chmod(before.mode & RIGHTS).catch(() => undefined)
      const own = await this.#checked()
      // A disk far away tells of lost bytes when a file is closed. From here on another process may go on with it, which has
      // nothing left to do but the same.
      await this.#file.close()
      await this.#rename(own)
      await removeLeftOver(this.#names)
    })
  }

  /** Leaves it for a later try; an empty one is removed. Never rejects: what led here is what counts. */
  async keep(): Promise<void> {
    if (this.#sizeBytes === 0) await this.#file.remove().catch(() => undefined)
    await this.#file.close().catch(() => undefined)
  }

  /** Never rejects. */
  async remove(): Promise<void> {
    await this.#file.remove().catch(() => undefined)
    await this.#file.close().catch(() => undefined)
  }

  async #rename(own: BigIntStats): Promise<void> {
    try {
      await rename(this.#file.path, this.target)
    } catch (error) {
      if (!(await this.#isTarget(own))) throw error
    }
  }

  /** Whether another process that had it has put it in the target's place. */
  async #isTarget(own: BigIntStats): Promise<boolean> {
    const there = await stat(this.target, { bigint: true }).catch(() => undefined)
    return there?.ino === own.ino && there.dev === own.dev
  }

  async #checked(): Promise<BigIntStats> {
    const own = await this.#file.handle.stat({ bigint: true })
    const isWhole = own.size === BigInt(this.#wholeBytes) && this.#sizeBytes === this.#wholeBytes
    if (isWhole && ((await this.#file.isThere()) || (await this.#isTarget(own)))) return own
    const what = `${this.target}: another program has changed or removed what was fetched of it (${this.#file.path})`
    throw new StoreError('corrupt', what, { operation: 'get', retryable: false })
  }
}

class PartNames {
  readonly target: string
  readonly #start: string
  readonly #version: string

  constructor(target: string, version: string) {
    this.target = target
    const base = basename(target)
    this.#start = `.${Buffer.byteLength(base) > MAX_BASE_BYTES ? digest(base) : base}.`
    this.#version = digest(version)
  }

  get folder(): string {
    return dirname(this.target)
  }

  /** A name that nobody else gives, in whatever container or on whatever machine. */
  fresh(): string {
    return join(this.folder, `${this.#start}${this.#version}.${randomBytes(8).toString('hex')}${SUFFIX}`)
  }

  /** Whether it is a part of this version, or of another one; undefined where the name is another thing's. */
  isOfVersion(name: string): boolean | undefined {
    if (!name.startsWith(this.#start) || !name.endsWith(SUFFIX)) return undefined
    const [, version] = /^([0-9a-f]{16})\.[0-9a-z-]+$/.exec(name.slice(this.#start.length, -SUFFIX.length)) ?? []
    return version === undefined ? undefined : version === this.#version
  }
}

/** The largest part of this version that nobody works on. */
async function leftOver(names: PartNames): Promise<OwnedFile | undefined> {
  const found: { readonly path: string; readonly sizeBytes: number }[] = []
  for (const name of await readdir(names.folder)) {
    if (names.isOfVersion(name) !== true) continue
    const path = join(names.folder, name)
    const stats = await stat(path).catch(() => undefined)
    if (stats?.isFile() === true) found.push({ path, sizeBytes: stats.size })
  }
  for (const { path } of found.sort((a, b) => b.sizeBytes - a.sizeBytes)) {
    const file = await OwnedFile.open(path)
    if (file === undefined) continue
    if (await isTrusted(file, names.folder)) return file
    await file.close()
  }
  return undefined
}

/**
 * In a folder that others may write to (/tmp) a part can be somebody else's, who knows its name and would have bytes of his
 * choice in the target, or a file of another name that must not change with it. Who owns the folder has the target anyway.
 */
async function isTrusted({ handle }: OwnedFile, folder: string): Promise<boolean> {
  const [part, { uid }] = await Promise.all([handle.stat(), stat(folder)])
  return part.isFile() && part.nlink === 1 && [process.geteuid?.(), uid].includes(part.uid)
}

async function fresh(names: PartNames): Promise<OwnedFile> {
  for (;;) {
    const file = await OwnedFile.create(names.fresh(), 0o666)
    if (file !== undefined) return file
  }
}

/** What earlier tries have left of this target is of no more use, whatever version it is of. The target counts, not this. */
async function removeLeftOver(names: PartNames): Promise<void> {
  for (const name of await readdir(names.folder).catch(() => [])) {
    if (names.isOfVersion(name) === undefined) continue
    const file = await OwnedFile.open(join(names.folder, name)).catch(() => undefined)
    await file?.remove().catch(() => undefined)
    await file?.close().catch(() => undefined)
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
