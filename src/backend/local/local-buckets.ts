import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BucketAdmin, BucketInfo, CreateBucketOptions } from '../bucket-admin.js'
import { throwIfAborted } from '../call.js'
import type { CallOptions } from '../object-store.js'
import { StoreError } from '../store-error.js'
import { RESERVED } from './key-paths.js'
import { hasCode, onDisk, unlessMissing } from './local-errors.js'
import { openLocalStore } from './local-store.js'

/** Folders that are stores, side by side in a folder. Other folders there are none of ours: not listed, not removed. */
export class LocalBuckets implements BucketAdmin {
  readonly url: string
  readonly #parent: string

  constructor(parent: string) {
    this.#parent = parent
    this.url = pathToFileURL(parent).href
  }

  create(name: string, { acl = 'private', signal }: CreateBucketOptions = {}): Promise<void> {
    return onDisk('createBucket', undefined, async () => {
      throwIfAborted(signal, 'createBucket')
      if (acl !== 'private') throw failed('createBucket', 'unsupported', 'a folder as a whole is private')
      const path = this.#path(name, 'createBucket')
      await mkdir(this.#parent, { recursive: true })
      try {
        await mkdir(path)
      } catch (error) {
        if (hasCode(error, 'EEXIST')) throw failed('createBucket', 'exists', `there is a ${path}`, error)
        throw error
      }
      await (await openLocalStore(path)).close()
    })
  }

  /** The folder gets another name first, so that an object which comes meanwhile is seen, and brings it back. */
  delete(name: string, { signal }: CallOptions = {}): Promise<void> {
    return onDisk('deleteBucket', undefined, async () => {
      throwIfAborted(signal, 'deleteBucket')
      const path = this.#path(name, 'deleteBucket')
      if (!(await this.#isStore(name))) throw failed('deleteBucket', 'not-found', `${path} is no store`)
      await checkEmpty(path)
      const leaving = join(this.#parent, `.${name.slice(0, 100)}.${randomUUID()}`)
      await rename(path, leaving)
      try {
        await checkEmpty(leaving)
      } catch (error) {
        await rename(leaving, path)
        throw error
      }
      await rm(leaving, { recursive: true })
    })
  }

  list({ signal }: CallOptions = {}): Promise<readonly BucketInfo[]> {
    return onDisk('listBuckets', undefined, async () => {
      throwIfAborted(signal, 'listBuckets')
      const found: BucketInfo[] = []
      for (const name of (await readdir(this.#parent)).sort()) {
        if (name.startsWith('.') || !(await this.#isStore(name))) continue
        const { birthtimeMs } = await stat(join(this.#parent, name))
        found.push({ name, ...(birthtimeMs > 0 && { createdMs: birthtimeMs }) })
      }
      return found
    })
  }

  exists(name: string, { signal }: CallOptions = {}): Promise<boolean> {
    return onDisk('headBucket', undefined, async () => {
      throwIfAborted(signal, 'headBucket')
      this.#path(name, 'headBucket')
      return this.#isStore(name)
    })
  }

  validateCredentials(): Promise<void> {
    return onDisk('validateCredentials', undefined, () => access(this.#parent, constants.R_OK | constants.X_OK))
  }

  regions(): readonly string[] {
    throw failed('regions', 'unsupported', `${this.url} has no regions`)
  }

  async close(): Promise<void> {}

  async #isStore(name: string): Promise<boolean> {
    const found = await unlessMissing(stat(join(this.#parent, name, RESERVED, 'format')), 'ENOTDIR')
    return found?.isFile() === true
  }

  #path(name: string, operation: string): string {
    if (name === '' || name.startsWith('.') || /[/\0]/.test(name) || Buffer.byteLength(name) > 255)
      throw failed(operation, 'invalid', `not the name of a folder for a bucket: ${JSON.stringify(name)}`)
    return join(this.#parent, name)
  }
}

/** Of objects, and of anything else that somebody has put there. */
async function checkEmpty(path: string): Promise<void> {
  const store = await openLocalStore(path)
  const { objects } = await store.list({ limit: 1 })
  const others = (await readdir(path)).filter(name => name !== RESERVED)
  if (objects.length === 0 && others.length === 0) return
  throw new StoreError('precondition-failed', `${path} is not empty`, {
    operation: 'deleteBucket',
    code: 'BucketNotEmpty',
  })
}

function failed(
  operation: string,
  kind: 'exists' | 'invalid' | 'not-found' | 'unsupported',
  message: string,
  cause?: unknown,
): StoreError {
  return new StoreError(kind, message, { operation, cause })
}
