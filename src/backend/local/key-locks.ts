import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { tryLockExclusive } from '../../system/flock.js'
import type { Signal } from '../call-signal.js'
import { SYSTEM_TIMERS, sleep } from '../timers.js'

const LOCKS = 256
const FIRST_WAIT_MS = 1
const LONGEST_WAIT_MS = 20

/**
 * Makes changes of one key exclude each other, in this process and among all that share the folder: flock on one of 256
 * lock files, chosen by the key's hash and never removed (a lock on a removed file excludes nobody). Held for short steps only, never while bytes come in.
 */
export class KeyLocks {
  readonly #folder: string
  /** The end of the line for each lock in this process, so that one of its calls at a time asks the disk. */
  readonly #lines = new Map<string, Promise<void>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async withLock<T>(key: string, signal: Signal | undefined, operation: string, step: () => Promise<T>): Promise<T> {
    const name = lockOf(key)
    const before = this.#lines.get(name)
    let leave = () => {}
    const mine = new Promise<void>(resolve => {
      leave = resolve
    })
    this.#lines.set(name, mine)
    try {
      await before
      return await this.#withFile(name, signal, operation, step)
    } finally {
      if (this.#lines.get(name) === mine) this.#lines.delete(name)
      leave()
    }
  }

  async #withFile<T>(name: string, signal: Signal | undefined, operation: string, step: () => Promise<T>): Promise<T> {
    const file = await open(join(this.#folder, name), 'a')
    try {
      for (let waitMs = FIRST_WAIT_MS; !tryLockExclusive(file.fd); waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS))
        await sleep(SYSTEM_TIMERS, waitMs, signal, operation)
      return await step()
    } finally {
      await file.close()
    }
  }
}

function lockOf(key: string): string {
  const byte = createHash('sha256').update(key).digest()[0] ?? 0
  return (byte % LOCKS).toString(16).padStart(2, '0')
}
