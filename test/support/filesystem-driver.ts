import type { BucketFilesystem } from '../../src/fs/filesystem.js'
import { errnoOf } from '../../src/fs/fs-error.js'
import { type Entry, type OpenFlags, ROOT_NODE } from '../../src/fs/operations.js'
import { type Harness, openFlags } from './filesystem-harness.js'

/** What a call came to: its value, or the errno that a program gets. */
export type Outcome<T> = { readonly value: T } | { readonly errno: string }

/** Calls by path, as a kernel makes them that forgets every node as soon as the call is over. */
export class Driver {
  readonly #h: Harness
  readonly #fs: BucketFilesystem

  constructor(h: Harness) {
    this.#h = h
    this.#fs = h.filesystem
  }

  stat(path: string): Promise<Outcome<Entry>> {
    return this.#at(path, async entry => entry)
  }

  open(path: string, flags: Partial<OpenFlags>): Promise<Outcome<number>> {
    return this.#at(path, async ({ node }) => {
      const { handle } = await this.#fs.open(node, openFlags(flags), this.#h.context())
      return handle
    })
  }

  /** open(2) with O_CREAT: the kernel asks for the name first. */
  create(path: string, flags: Partial<OpenFlags>): Promise<Outcome<number>> {
    return this.#in(path, async (parent, name) => {
      const found = await this.#fs.lookup(parent, name, this.#h.context())
      if (!('attributes' in found)) {
        const made = await this.#fs.create(parent, name, 0o644, openFlags(flags), this.#h.context())
        this.#fs.forget(made.entry.node, 1)
        return made.open.handle
      }
      try {
        if (flags.exclusive === true) throw Object.assign(new Error('exists'), { errno: 'EEXIST' })
        return (await this.#fs.open(found.node, openFlags(flags), this.#h.context())).handle
      } finally {
        this.#fs.forget(found.node, 1)
      }
    })
  }

  truncate(path: string, sizeBytes: number, mode?: number): Promise<Outcome<number>> {
    return this.#at(path, async ({ node }) => {
      const changes = mode === undefined ? { sizeBytes } : { mode }
      const { attributes } = await this.#fs.setattr(node, changes, undefined, this.#h.context())
      return attributes.sizeBytes
    })
  }

  mkdir(path: string): Promise<Outcome<void>> {
    return this.#in(path, async (parent, name) => {
      const found = await this.#fs.lookup(parent, name, this.#h.context())
      if ('attributes' in found) {
        this.#fs.forget(found.node, 1)
        throw Object.assign(new Error('exists'), { errno: 'EEXIST' })
      }
      const { node } = await this.#fs.mkdir(parent, name, 0o755, this.#h.context())
      this.#fs.forget(node, 1)
    })
  }

  remove(path: string, kind: 'unlink' | 'rmdir'): Promise<Outcome<void>> {
    return this.#in(path, (parent, name) => this.#fs[kind](parent, name, this.#h.context()))
  }

  rename(from: string, to: string, noReplace: boolean): Promise<Outcome<void>> {
    const flags = { noReplace, exchange: false }
    return this.#in(from, async (parent, name) => {
      const moved = await this.#in(to, (newParent, newName) =>
        this.#fs.rename(parent, name, newParent, newName, flags, this.#h.context()),
      )
      if ('errno' in moved) throw Object.assign(new Error('rename failed'), moved)
    })
  }

  list(path: string, withAttributes: boolean): Promise<Outcome<string[]>> {
    return this.#at(path, async ({ node }) => {
      const { handle } = await this.#fs.opendir(node, this.#h.context())
      const taken: { name: string; node: number | undefined; nextOffset: number }[] = []
      for (let before = -1; before < taken.length; ) {
        before = taken.length
        const most = before + 3
        const sink = {
          add: (one: { name: Uint8Array; nextOffset: number; entry: Entry | undefined }) => {
            if (taken.length === most) return false
            taken.push({ name: Buffer.from(one.name).toString(), node: one.entry?.node, nextOffset: one.nextOffset })
            return true
          },
        }
        await this.#fs.readdir(handle, taken.at(-1)?.nextOffset ?? 0, withAttributes, sink, this.#h.context())
      }
      await this.#fs.releasedir(handle)
      for (const one of taken) if (one.node !== undefined) this.#fs.forget(one.node, 1)
      return taken.map(one => one.name).filter(name => name !== '.' && name !== '..')
    })
  }

  /** Any call of a handle. */
  async on<T>(call: Promise<T>): Promise<Outcome<T>> {
    try {
      return { value: await call }
    } catch (error) {
      return { errno: errnoFrom(error) }
    }
  }

  /** The kernel looks a stale name up once more. */
  #at<T>(path: string, call: (entry: Entry) => Promise<T>): Promise<Outcome<T>> {
    return this.on(
      this.#walk(path, call).catch((error: unknown) => {
        if (errnoOf(error) === 'ESTALE') return this.#walk(path, call)
        throw error
      }),
    )
  }

  async #walk<T>(path: string, call: (entry: Entry) => Promise<T>): Promise<T> {
    const walked: Entry[] = []
    try {
      let node = ROOT_NODE
      for (const name of path === '' ? [] : path.split('/')) {
        const found = await this.#fs.lookup(node, Buffer.from(name), this.#h.context())
        if (!('attributes' in found)) throw Object.assign(new Error(path), { errno: 'ENOENT' })
        walked.push(found)
        node = found.node
      }
      const reply = await this.#fs.getattr(node)
      return await call(walked.at(-1) ?? { ...reply, node, entryTtlMs: 0 })
    } finally {
      for (const { node } of walked) this.#fs.forget(node, 1)
    }
  }

  #in<T>(path: string, call: (parent: number, name: Buffer) => Promise<T>): Promise<Outcome<T>> {
    const slash = path.lastIndexOf('/')
    const name = Buffer.from(path.slice(slash + 1))
    return this.#at(path.slice(0, Math.max(0, slash)), ({ node }) => call(node, name))
  }
}

function errnoFrom(error: unknown): string {
  const errno = error instanceof Error && 'errno' in error ? error.errno : undefined
  return typeof errno === 'string' ? errno : errnoOf(error)
}
