import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { onLocalDisk } from './local-file.js'

const SUFFIX = '.bucket-part'
/** In the name of a part that nobody works on. */
const FREE = 'free'
const READ_BYTES = 1024 * 1024
/** Names are cut, so that they stay within what a file system takes. */
const MAX_BASE_BYTES = 150

let lastNumber = 0

/**
 * The beginning of a file that is being fetched, beside it under a name that tells of which version it is
 * (`.NAME.VERSION.OWNER.bucket-part`): all of its bytes are right at every moment, since it only grows. OWNER is the process that works on it;
 * a part whose process is no more is taken over with what it has.
 */
export class PartialFile {
  readonly target: string
  readonly #names: PartNames
  readonly #handle: FileHandle
  #path: string
  #sizeBytes: number

  private constructor(names: PartNames, path: string, handle: FileHandle, sizeBytes: number) {
    this.target = names.target
    this.#names = names
    this.#path = path
    this.#handle = handle
    this.#sizeBytes = sizeBytes
  }

  /** `version` names the bytes: what an earlier try has left of other ones is not taken. */
  static claim(target: string, version: string, maxBytes: number): Promise<PartialFile> {
    return onLocalDisk(target, 'get', async () => {
      const names = new PartNames(target, version)
      const path = names.own()
      await takeOver(names, path)
      // Not to append: who writes to it twice writes the same bytes to the same places.
      const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o666)
      const { size } = await handle.stat()
      if (size > maxBytes) await handle.truncate(0)
      return new PartialFile(names, path, handle, size > maxBytes ? 0 : size)
    })
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  append(bytes: Uint8Array): Promise<void> {
    return onLocalDisk(this.target, 'get', async () => {
      for (let done = 0; done < bytes.byteLength; )
        done += (await this.#handle.write(bytes, done, bytes.byteLength - done, this.#sizeBytes + done)).bytesWritten
      this.#sizeBytes += bytes.byteLength
    })
  }

  /** Calls `use` with all bytes so far, in order. */
  readAll(use: (bytes: Uint8Array) => void): Promise<void> {
    return onLocalDisk(this.target, 'get', async () => {
      const buffer = Buffer.allocUnsafe(READ_BYTES)
      for (let at = 0; at < this.#sizeBytes; ) {
        const { bytesRead } = await this.#handle.read(buffer, 0, Math.min(READ_BYTES, this.#sizeBytes - at), at)
        if (bytesRead === 0) throw new Error('it became shorter while it was read')
        use(buffer.subarray(0, bytesRead))
        at += bytesRead
      }
    })
  }

  /** It is whole: takes the place of the target, with whose mode it goes. */
  commit(): Promise<void> {
    return onLocalDisk(this.target, 'get', async () => {
      const before = await stat(this.target).catch(() => undefined)
      if (before !== undefined) await this.#handle.chmod(before.mode & 0o7777).catch(() => undefined)
      await this.#handle.close()
      await rename(this.#path, this.target)
      await removeFree(this.#names)
    })
  }

  /** Leaves it for a later try; an empty one is removed. Never rejects: what led here is what counts. */
  async keep(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
    if (this.#sizeBytes === 0) await rm(this.#path, { force: true }).catch(() => undefined)
    else await rename(this.#path, this.#names.free()).catch(() => undefined)
  }

  /** Never rejects. */
  async remove(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
    await rm(this.#path, { force: true }).catch(() => undefined)
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

  own(): string {
    lastNumber += 1
    return this.#of(`${process.pid}-${lastNumber}`)
  }

  free(): string {
    return this.#of(FREE)
  }

  /** The owner of a part of this target; undefined where the name is another thing's. */
  ownerOf(name: string): { readonly owner: string; readonly isOfVersion: boolean } | undefined {
    if (!name.startsWith(this.#start) || !name.endsWith(SUFFIX)) return undefined
    const match = /^([0-9a-f]{16})\.(free|\d+-\d+)$/.exec(name.slice(this.#start.length, -SUFFIX.length))
    const [, version, owner] = match ?? []
    return owner === undefined ? undefined : { owner, isOfVersion: version === this.#version }
  }

  #of(owner: string): string {
    return join(this.folder, `${this.#start}${this.#version}.${owner}${SUFFIX}`)
  }
}

/** The largest part of this version that nobody works on becomes `path`. Of several who want it one gets it. */
async function takeOver(names: PartNames, path: string): Promise<void> {
  const sizes = new Map<string, number>()
  for (const name of await readdir(names.folder)) {
    const found = names.ownerOf(name)
    if (found?.isOfVersion !== true || !isFree(found.owner)) continue
    const stats = await stat(join(names.folder, name)).catch(() => undefined)
    if (stats !== undefined) sizes.set(name, stats.size)
  }
  for (const [name] of [...sizes].sort((a, b) => b[1] - a[1])) {
    const taken = await rename(join(names.folder, name), path).then(
      () => true,
      () => false,
    )
    if (taken) return
  }
}

/** What earlier tries have left of this target is of no more use, whatever version it is of. */
async function removeFree(names: PartNames): Promise<void> {
  for (const name of await readdir(names.folder).catch(() => [])) {
    const found = names.ownerOf(name)
    if (found !== undefined && isFree(found.owner)) await rm(join(names.folder, name), { force: true })
  }
}

function isFree(owner: string): boolean {
  if (owner === FREE) return true
  try {
    process.kill(Number.parseInt(owner, 10), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
