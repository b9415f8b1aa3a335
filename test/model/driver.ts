import type { BucketFilesystem } from '../../src/fs/filesystem.js'
import { errnoOf } from '../../src/fs/fs-error.js'
import {
  type Entry,
  type OpenFlags,
  type RenameFlags,
  ROOT_NODE,
  type SetAttributes,
  type XattrDemand,
} from '../../src/fs/operations.js'
import { type Harness, openFlags } from '../support/filesystem-harness.js'

/** What a call came to: its value, or the errno that a program gets. */
export type Outcome<T> = { readonly value: T } | { readonly errno: string }

/** Calls by path, as a kernel makes them: one that forgets every node as soon as the call is over, or one that keeps all. */
export class Driver {
  readonly #h: Harness
  readonly #fs: BucketFilesystem
  readonly #forgets: boolean

  constructor(h: Harness, { forgets = true } = {}) {
    this.#h = h
    this.#fs = h.filesystem
    this.#forgets = forgets
  }

  stat(path: string): Promise<Outcome<Entry>> {
    return this.#at(path, async entry => entry)
  }

  open(path: string, flags: Partial<OpenFlags>, pid = 1): Promise<Outcome<number>> {
    return this.#at(path, async ({ node }) => {
      const { handle } = await this.#fs.open(node, openFlags(flags), this.#h.context({ pid }))
      return handle
    })
  }

  /** open(2) with O_CREAT: the kernel asks for the name first. */
  create(path: string, flags: Partial<OpenFlags>, pid = 1): Promise<Outcome<number>> {
    return this.#in(path, async (parent, name, given) => {
      const found = await this.#fs.lookup(parent, name, this.#h.context())
      if (!('attributes' in found)) {
        const made = await this.#fs.create(parent, name, 0o644, openFlags(flags), this.#h.context({ pid }))
        given.push(made.entry.node)
        return made.open.handle
      }
      given.push(found.node)
      if (flags.exclusive === true) throw Object.assign(new Error('exists'), { errno: 'EEXIST' })
      return (await this.#fs.open(found.node, openFlags(flags), this.#h.context({ pid }))).handle
    })
  }

  setattr(path: string, changes: SetAttributes): Promise<Outcome<void>> {
    return this.#at(path, async ({ node }) => {
      await this.#fs.setattr(node, changes, undefined, this.#h.context())
    })
  }

  mknod(path: string, mode: number, rdev: number): Promise<Outcome<void>> {
    return this.#make(path, (parent, name) => this.#fs.mknod(parent, name, mode, rdev, this.#h.context()))
  }

  symlink(path: string, target: string): Promise<Outcome<void>> {
    const bytes = Buffer.from(target)
    return this.#make(path, (parent, name) => this.#fs.symlink(parent, name, bytes, this.#h.context()))
  }

  readlink(path: string): Promise<Outcome<string>> {
    return this.#at(path, async ({ node }) => Buffer.from(await this.#fs.readlink(node, this.#h.context())).toString())
  }

  getXattr(path: string, name: string): Promise<Outcome<string>> {
    const bytes = Buffer.from(name)
    return this.#at(path, async ({ node }) => text(await this.#fs.getxattr(node, bytes, this.#h.context())))
  }

  setXattr(path: string, name: string, value: string, demand: XattrDemand): Promise<Outcome<void>> {
    const bytes = Buffer.from(value, 'latin1')
    return this.#at(path, ({ node }) => this.#fs.setxattr(node, Buffer.from(name), bytes, demand, this.#h.context()))
  }

  removeXattr(path: string, name: string): Promise<Outcome<void>> {
    return this.#at(path, ({ node }) => this.#fs.removexattr(node, Buffer.from(name), this.#h.context()))
  }

  listXattrs(path: string): Promise<Outcome<string[]>> {
    return this.#at(path, async ({ node }) => (await this.#fs.listxattr(node)).map(text))
  }

  mkdir(path: string): Promise<Outcome<void>> {
    return this.#make(path, (parent, name) => this.#fs.mkdir(parent, name, 0o755, this.#h.context()))
  }

  remove(path: string, kind: 'unlink' | 'rmdir'): Promise<Outcome<void>> {
    return this.#in(path, (parent, name) => this.#fs[kind](parent, name, this.#h.context()))
  }

  rename(from: string, to: string, flags: RenameFlags): Promise<Outcome<void>> {
    return this.#in(from, async (parent, name) => {
      const moved = await this.#in(to, (newParent, newName) =>
        this.#fs.rename(parent, name, newParent, newName, flags, this.#h.context()),
      )
      if ('errno' in moved) throw Object.assign(new Error('rename failed'), moved)
    })
  }

  /** The names in a folder; `between` runs when the first few have been taken. */
  list(path: string, withAttributes: boolean, between?: () => Promise<void>): Promise<Outcome<string[]>> {
    return this.#at(path, async ({ node }) => {
      const { handle } = await this.#fs.opendir(node, this.#h.context())
      const taken: { name: string; node: number | undefined; nextOffset: number }[] = []
      for (let before = -1; before < taken.length; ) {
        before = taken.length
        const most = before + 3
        const sink = {
          add: (one: { name: string | Uint8Array; nextOffset: number; entry: Entry | undefined }) => {
            if (taken.length === most) return false
            taken.push({ name: Buffer.from(one.name).toString(), node: one.entry?.node, nextOffset: one.nextOffset })
            return true
          },
        }
        await this.#fs.readdir(handle, taken.at(-1)?.nextOffset ?? 0, withAttributes, sink, this.#h.context())
        if (before === 0) await between?.()
      }
      await this.#fs.releasedir(handle)
      for (const one of taken) if (one.node !== undefined) this.#forget(one.node)
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

  /** The kernel looks a stale name up once more, and forgets what it was given when the call is over. */
  #at<T>(path: string, call: (entry: Entry, given: number[]) => Promise<T>): Promise<Outcome<T>> {
    const given: number[] = []
    const walk = () => this.#walk(path, given, call)
    const walked = walk().catch((error: unknown) => {
      if (errnoOf(error) === 'ESTALE') return walk()
      throw error
    })
    return this.on(
      walked.finally(() => {
        for (const node of given) this.#forget(node)
      }),
    )
  }

  async #walk<T>(path: string, given: number[], call: (entry: Entry, given: number[]) => Promise<T>): Promise<T> {
    let entry: Entry | undefined
    for (const name of path === '' ? [] : path.split('/')) {
      const found = await this.#fs.lookup(entry?.node ?? ROOT_NODE, Buffer.from(name), this.#h.context())
      if (!('attributes' in found)) throw Object.assign(new Error(path), { errno: 'ENOENT' })
      given.push(found.node)
      entry = found
    }
    const node = entry?.node ?? ROOT_NODE
    const reply = await this.#fs.getattr(node)
    return call(entry ?? { ...reply, node, entryTtlMs: 0 }, given)
  }

  /** The kernel asks for the name first. */
  #make(path: string, call: (parent: number, name: Buffer) => Promise<Entry>): Promise<Outcome<void>> {
    return this.#in(path, async (parent, name, given) => {
      const found = await this.#fs.lookup(parent, name, this.#h.context())
      if ('attributes' in found) {
        given.push(found.node)
        throw Object.assign(new Error('exists'), { errno: 'EEXIST' })
      }
      given.push((await call(parent, name)).node)
    })
  }

  #forget(node: number): void {
    if (this.#forgets) this.#fs.forget(node, 1)
  }

  #in<T>(path: string, call: (parent: number, name: Buffer, given: number[]) => Promise<T>): Promise<Outcome<T>> {
    const slash = path.lastIndexOf('/')
    const name = Buffer.from(path.slice(slash + 1))
    return this.#at(path.slice(0, Math.max(0, slash)), ({ node }, given) => call(node, name, given))
  }
}

function errnoFrom(error: unknown): string {
  const errno = error instanceof Error && 'errno' in error ? error.errno : undefined
  return typeof errno === 'string' ? errno : errnoOf(error)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
