import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'
import type { TransportKind } from '../../src/fuse/create-transport.js'
import { built } from './servers.js'

const run = promisify(execFile)
const PROGRAM = join(import.meta.dirname, '../../build/test/support/fuse-memory-mount.js')

export interface FuseChildSettings {
  readonly kind?: TransportKind
  readonly ttlMs?: number
  readonly options?: readonly string[]
}

/** A MemoryFilesystem mounted by a process of its own (fuse-memory-mount.ts). */
export class FuseChild {
  readonly mountPoint: string
  readonly #process: ChildProcess
  readonly #messages: string[] = []
  #onMessage: () => void = () => {}

  constructor(mountPoint: string, { kind = 'kernel', ttlMs = 1000, options = [] }: FuseChildSettings) {
    this.mountPoint = mountPoint
    this.#process = fork(PROGRAM, [mountPoint, kind, String(ttlMs), ...options])
    this.#process.on('message', (message: string) => {
      this.#messages.push(message)
      this.#onMessage()
    })
    this.#process.on('exit', code => {
      this.#messages.push(`exit ${code}`)
      this.#onMessage()
    })
  }

  path(...names: readonly string[]): string {
    return join(this.mountPoint, ...names)
  }

  send(...words: readonly string[]): void {
    this.#process.send(words)
  }

  /** The next message that begins so; those before it are passed over. Rejects when the program ends without. */
  async next(beginning: string): Promise<string> {
    for (;;) {
      const message = this.#messages.shift()
      if (message === undefined)
        await new Promise<void>(resolve => {
          this.#onMessage = resolve
        })
      else if (message.startsWith(beginning)) return message
      else if (/^(exit|failed)/.test(message)) throw new Error(`waiting for ${beginning}: ${message}`)
    }
  }

  /** The process ends by itself once the mount is gone; this makes sure of both. */
  async end(): Promise<void> {
    await run('umount', ['-l', this.mountPoint]).catch(() => undefined)
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit')
      this.#process.kill('SIGKILL')
      await exited
    }
    await rm(this.mountPoint, { recursive: true, force: true })
  }
}

/** Mounts for one test file, all gone when its tests are over. */
export function fuseChildren(): (settings?: FuseChildSettings) => Promise<FuseChild> {
  const children: FuseChild[] = []
  afterAll(async () => {
    for (const child of children) await child.end()
  })
  return async (settings = {}) => {
    await built()
    const child = new FuseChild(await mkdtemp(join(tmpdir(), 'fuse-child-')), settings)
    children.push(child)
    await child.next('ready')
    return child
  }
}
