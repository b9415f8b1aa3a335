import { constants, type Dirent } from 'node:fs'
import { type FileHandle, lstat, open, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { BytesMoved } from './progress-line.js'

export interface PrefetchProgress extends BytesMoved {
  readonly files: number
  readonly failed: number
}

/** Files that are read at once. */
const READERS = 8

/** Found and not read yet; the walk waits for the readers. */
const MAX_FOUND = 1000

const READ_BYTES = 1024 * 1024

/** The driver drops what its disk does not take in time, so all readers together wait for it after so much. */
const SETTLE_BYTES = 16 * 1024 * 1024

/** How files of a mount are opened: pages that the kernel holds already would keep the driver from being asked. */
export const DIRECT = constants.O_DIRECT ?? 0

interface FoundFile {
  readonly path: string
  readonly sizeBytes: number
}

/**
 * Reads files, and all files of folders, so that the cache of the mount that they are on holds them. Symbolic links are
 * not followed. Failures are told and end nothing.
 */
export class Prefetcher {
  readonly #openFlags: number
  readonly #onError: (path: string, error: unknown) => void
  readonly #signal: AbortSignal
  readonly #found: FoundFile[] = []
  #wake: () => void = () => {}
  #woken = this.#newWake()
  #doneBytes = 0
  #knownBytes = 0
  #files = 0
  #failed = 0
  #isComplete = false
  /** How many files are being read. */
  #reading = 0

  /** `openFlags` are for open(2), beside those for reading. */
  constructor(openFlags: number, onError: (path: string, error: unknown) => void, signal: AbortSignal) {
    this.#openFlags = openFlags
    this.#onError = onError
    this.#signal = signal
    signal.addEventListener('abort', () => this.#wakeAll())
  }

  get progress(): PrefetchProgress {
    const { files, failed } = { files: this.#files, failed: this.#failed }
    return { doneBytes: this.#doneBytes, knownBytes: this.#knownBytes, files, failed, isComplete: this.#isComplete }
  }

  /** Never rejects. Ends soon when the signal fires. */
  async run(paths: readonly string[]): Promise<void> {
    const readers = Array.from({ length: READERS }, () => this.#readFound())
    for (const path of paths) await this.#attempt(path, () => this.#walk(path))
    this.#isComplete = true
    this.#wakeAll()
    await Promise.all(readers)
  }

  async #walk(path: string): Promise<void> {
    const stats = await lstat(path)
    if (stats.isFile()) return this.#add({ path, sizeBytes: stats.size })
    if (stats.isDirectory()) await this.#walkFolder(path)
  }

  async #walkFolder(path: string): Promise<void> {
    const folders: string[] = []
    for await (const entry of await opendir(path)) {
      if (this.#signal.aborted) return
      const child = join(path, entry.name)
      if (entry.isDirectory()) folders.push(child)
      else if (isPerhapsFile(entry)) await this.#attempt(child, () => this.#walk(child))
    }
    for (const folder of folders) await this.#attempt(folder, () => this.#walkFolder(folder))
  }

  async #add(file: FoundFile): Promise<void> {
    while (this.#found.length >= MAX_FOUND && !this.#signal.aborted) await this.#woken
    this.#found.push(file)
    this.#knownBytes += file.sizeBytes
    this.#wakeAll()
  }

  async #readFound(): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    while (!this.#signal.aborted) {
      const file = this.#found.shift()
      if (file === undefined) {
        if (this.#isComplete) return
        await this.#woken
        continue
      }
      this.#wakeAll()
      await this.#attempt(file.path, () => this.#readFile(file.path, buffer))
    }
  }

  async #readFile(path: string, buffer: Buffer): Promise<void> {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | this.#openFlags)
    this.#reading += 1
    try {
      await this.#readAll(handle, buffer)
      this.#files += 1
    } finally {
      this.#reading -= 1
      await handle.close()
    }
  }

  async #readAll(handle: FileHandle, buffer: Buffer): Promise<void> {
    let unsettledBytes = 0
    for (let at = 0; !this.#signal.aborted; ) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) break
      at += bytesRead
      unsettledBytes += bytesRead
      this.#doneBytes += bytesRead
      if (unsettledBytes < SETTLE_BYTES / this.#reading) continue
      await handle.sync()
      unsettledBytes = 0
    }
    if (unsettledBytes > 0) await handle.sync()
  }

  async #attempt(path: string, task: () => Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      this.#failed += 1
      this.#onError(path, error)
    }
  }

  /** Who waits for files, or for room for more, looks again. */
  #wakeAll(): void {
    this.#wake()
    this.#woken = this.#newWake()
  }

  #newWake(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }
}

/** Some file systems do not tell types in listings. */
function isPerhapsFile(entry: Dirent): boolean {
  return entry.isFile() || !(entry.isSymbolicLink() || entry.isFIFO() || entry.isSocket() || isDevice(entry))
}

function isDevice(entry: Dirent): boolean {
  return entry.isCharacterDevice() || entry.isBlockDevice()
}
