import { randomBytes } from 'node:crypto'
import { chmod, link, open, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreError } from '../store-error.js'
import type { Layout } from './layout.js'
import { hasCode, unlessMissing } from './local-errors.js'
import { syncFolder } from './sync-folder.js'

/** What is kept of a store as a whole, a small file each in its reserved folder. */
export type KeptName =
  /** What signs URLs and forms: 64 hexadecimal digits, for the owner's eyes only. */
  | 'secret'
  /** The URL of the CDN in front. */
  | 'cdn'
  /** Where the store is served. */
  | 'address'

export class KeptTexts {
  readonly #layout: Layout

  constructor(layout: Layout) {
    this.#layout = layout
  }

  async read(name: KeptName): Promise<string | undefined> {
    return (await unlessMissing(readFile(this.#path(name), 'utf8')))?.trim()
  }

  /** Undefined removes it. */
  async replace(name: KeptName, text: string | undefined): Promise<void> {
    await this.#layout.prepareWriting()
    if (text === undefined) await unlessMissing(unlink(this.#path(name)))
    else {
      const temporary = this.#layout.temporary()
      await writeFile(temporary, `${text}\n`, { flush: true })
      await rename(temporary, this.#path(name))
    }
    await syncFolder(this.#layout.reserved)
  }

  /** Made at its first use; all who share the folder have the same. `denied` where others than the owner can read it. */
  async secret(): Promise<string> {
    const path = this.#path('secret')
    const found = await unlessMissing(stat(path))
    if (found === undefined) return this.#makeSecret(path)
    if ((found.mode & 0o077) !== 0)
      throw new StoreError('denied', `others than its owner can read ${path}: chmod 600 it, or remove it`)
    const text = (await readFile(path, 'utf8')).trim()
    if (!/^[0-9a-f]{64}$/.test(text)) throw new StoreError('corrupt', `${path} holds no secret`, { retryable: false })
    return text
  }

  /** A link appears as a whole, and only once. */
  async #makeSecret(path: string): Promise<string> {
    await this.#layout.prepareWriting()
    const temporary = this.#layout.temporary()
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(`${randomBytes(32).toString('hex')}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    try {
      await chmod(temporary, 0o600)
      await link(temporary, path)
      await syncFolder(this.#layout.reserved)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    } finally {
      await unlink(temporary)
    }
    return this.secret()
  }

  #path(name: KeptName): string {
    return join(this.#layout.reserved, name)
  }
}
