import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { FsError } from '../../src/fs/fs-error.js'
import { type Filesystem, ROOT_NODE, type ShutdownReport } from '../../src/fs/operations.js'
import { type RunningMount, runMount } from '../../src/fuse/mount.js'
import { findRecord } from '../../src/fuse/mount-record.js'
import type { Transport } from '../../src/fuse/transport.js'
import { callContext } from '../support/call-context.js'
import { temporaryFolder } from '../support/configuration.js'
import { MemoryFilesystem } from '../support/fuse-memory-filesystem.js'

const CONTEXT = callContext()

/** A filesystem whose storing is up to the test. */
class SlowFilesystem extends MemoryFilesystem {
  readonly #events: string[]
  finish: (report: ShutdownReport) => void = () => {}
  readonly #report = new Promise<ShutdownReport>(resolve => {
    this.finish = resolve
  })

  constructor(events: string[]) {
    super({ FsError, ttlMs: 0, trace: () => {} })
    this.#events = events
  }

  override async shutdown(): Promise<ShutdownReport> {
    this.#events.push('storing')
    const report = await this.#report
    this.#events.push('stored')
    return report
  }

  override async secure(): Promise<void> {
    this.#events.push('secured')
  }
}

/** The kernel's side without a kernel: in use or not, as the test says. */
class DirectTransport implements Transport {
  readonly kernelCache = { invalidateNode: () => {}, invalidateEntry: () => {} }
  readonly holders = { isHeld: async () => false, killedBy: () => undefined }
  readonly #events: string[]
  isBusy = false
  filesystem: Filesystem | undefined
  /** As if somebody else had unmounted. */
  end: () => void = () => {}
  readonly ended = new Promise<void>(resolve => {
    this.end = resolve
  })

  constructor(events: string[]) {
    this.#events = events
  }

  async start(filesystem: Filesystem): Promise<void> {
    this.filesystem = filesystem
  }

  async unmount({ lazy }: { readonly lazy: boolean }): Promise<void> {
    if (this.isBusy && !lazy) throw Object.assign(new Error('in use'), { code: 'EBUSY' })
    this.#events.push(lazy ? 'detached' : 'unmounted')
    // A detached mount lives on for the programs that use it.
    if (!this.isBusy) this.end()
  }
}

async function begin(beforeUnmount?: () => Promise<unknown>) {
  const events: string[] = []
  const stateRoot = temporaryFolder()
  const transport = new DirectTransport(events)
  const filesystem = new SlowFilesystem(events)
  const mount: RunningMount = await runMount({
    transport,
    filesystem,
    mountPoint: '/mnt',
    source: 'mem://x',
    stateDir: join(stateRoot, 'id'),
    beforeUnmount,
    log: SILENT,
  })
  return { events, stateRoot, transport, filesystem, mount }
}

const CLEAN: ShutdownReport = { stored: 1, kept: [] }

describe('a mount', () => {
  it('that nobody uses is unmounted, then what closed files owe is stored', async () => {
    const { events, filesystem, mount } = await begin()
    filesystem.finish(CLEAN)
    await mount.stop('a test')
    expect(await mount.ended).toEqual({ isAllStored: true, kept: [] })
    expect(events).toEqual(['unmounted', 'storing', 'stored'])
  })

  it('gets what only the kernel holds before it is unmounted', async () => {
    let asked = 0
    let go = () => {}
    const { events, filesystem, mount } = await begin(() => {
      asked += 1
      return new Promise<void>(resolve => {
        go = resolve
      })
    })
    filesystem.finish(CLEAN)
    const stopped = mount.stop('a test')
    await new Promise(setImmediate)
    expect({ asked, events }).toEqual({ asked: 1, events: [] })
    go()
    await stopped
    expect(events).toEqual(['unmounted', 'storing', 'stored'])
  })

  it('that is stopped a second time waits for nothing that the kernel holds', async () => {
    let go = () => {}
    const { events, mount } = await begin(
      () =>
        new Promise<void>(resolve => {
          go = resolve
        }),
    )
    const first = mount.stop('a test')
    await mount.stop('an impatient test')
    await first
    go()
    await new Promise(setImmediate)
    expect(events.filter(event => event !== 'storing')).toEqual(['detached', 'secured'])
  })

  it('in use is detached only when all is stored, and answers EIO meanwhile', async () => {
    const { events, transport, filesystem, mount } = await begin()
    transport.isBusy = true
    expect((await transport.filesystem?.getattr(ROOT_NODE, undefined, CONTEXT))?.attributes.ino).toBe(ROOT_NODE)
    const stopped = mount.stop('a test')
    await new Promise(setImmediate)
    expect(events).toEqual(['storing'])
    await expect(transport.filesystem?.getattr(ROOT_NODE, undefined, CONTEXT)).rejects.toMatchObject({ errno: 'EIO' })
    await expect(transport.filesystem?.release(1)).resolves.toBeUndefined()
    filesystem.finish(CLEAN)
    await stopped
    expect(events).toEqual(['storing', 'stored', 'detached'])
    expect(await mount.ended).toEqual({ isAllStored: true, kept: [] })
  })

  it('that is stopped a second time waits for nothing but the local disk', async () => {
    const { events, transport, mount } = await begin()
    transport.isBusy = true
    const first = mount.stop('a test')
    await new Promise(setImmediate)
    await mount.stop('an impatient test')
    await first
    expect(events).toEqual(['storing', 'detached', 'secured'])
    expect(await mount.ended).toEqual({ isAllStored: false, kept: [] })
  })

  it('that is unmounted already does not wait for its storing when it is stopped twice', async () => {
    const { mount } = await begin()
    const first = mount.stop('a test')
    await new Promise(setImmediate)
    await mount.stop('an impatient test')
    await first
    expect(await mount.ended).toEqual({ isAllStored: false, kept: [] })
  })

  it('that somebody else unmounted stores what is left and tells what it could not', async () => {
    const { events, transport, filesystem, mount } = await begin()
    const kept = [{ path: '/a', keptAt: '/state/a' }]
    transport.end()
    filesystem.finish({ stored: 0, kept })
    expect(await mount.ended).toEqual({ isAllStored: false, kept })
    expect(events).toEqual(['storing', 'stored'])
  })

  it('leaves a record of who serves it and of how it ended', async () => {
    const { stateRoot, transport, filesystem, mount } = await begin()
    const found = await findRecord(stateRoot, '/mnt')
    expect(found?.record).toMatchObject({ pid: process.pid, mountPoint: '/mnt', source: 'mem://x' })
    expect(await findRecord(stateRoot, '/other')).toBeUndefined()
    filesystem.finish(CLEAN)
    transport.end()
    await mount.ended
    expect(readdirSync(join(stateRoot, 'id'))).toEqual(['mount.json'])
    const record: unknown = JSON.parse(readFileSync(join(stateRoot, 'id', 'mount.json'), 'utf8'))
    expect(record).toMatchObject({ end: { isAllStored: true, kept: [] } })
  })
})
