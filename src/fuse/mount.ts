import type { Log } from '../backend/log.js'
import { SYSTEM_TIMERS, within } from '../backend/timers.js'
import type { Filesystem, ShutdownReport } from '../fs/operations.js'
import { MountGate } from './mount-gate.js'
import { notifyServiceManager } from './mount-notify.js'
import { type MountEnd, processStart, writeRecord } from './mount-record.js'
import type { Transport } from './transport.js'

export interface MountParameters {
  readonly transport: Transport
  readonly filesystem: Filesystem
  /** Absolute, without symbolic links, and found fit by `checkMountPoint`. */
  readonly mountPoint: string
  /** As the kernel's table shows it. */
  readonly source: string
  /** This mount's own folder on the local disk. */
  readonly stateDir: string
  /** Where its disk cache is. */
  readonly cacheDir?: string | undefined
  /** Resolves soon, when what only the kernel still holds has been asked for: an unmount is the end of that. */
  readonly beforeUnmount?: (() => Promise<unknown>) | undefined
  /** Where a service manager listens ($NOTIFY_SOCKET). */
  readonly notifySocket?: string | undefined
  readonly log: Log
}

/** A mount that programs can use. */
export interface RunningMount {
  /** Resolves, and never rejects, when the mount is over and what could be stored is stored, whoever ended it. */
  readonly ended: Promise<MountEnd>
  /**
   * Ends the mount: lets nobody open anything, stores what is dirty, unmounts. A mount that programs still use is taken
   * out of their sight once all is stored. A second call waits for nothing any more: what is not stored by then is kept
   * on the local disk. Resolves with `ended`.
   */
  stop(reason: string): Promise<void>
}

/** Mounts, and resolves once programs can use it. Rejects with what the transport rejects with; nothing is left then. */
export async function runMount(parameters: MountParameters): Promise<RunningMount> {
  const gate = new MountGate(parameters.filesystem)
  await parameters.transport.start(gate)
  const mount = new LiveMount(parameters, gate)
  await mount.begin()
  return mount
}

/** How long the local disk may take for what is not stored when a mount is ended at once. */
const SECURING_MS = 5000

class LiveMount implements RunningMount {
  readonly ended: Promise<MountEnd>
  readonly #parameters: MountParameters
  readonly #gate: MountGate
  readonly #log: Log
  /** The one shutdown of the filesystem, once begun. */
  #storing: Promise<ShutdownReport> | undefined
  #isStopping = false
  #isHurried = false
  /** Ends the wait for the transport. */
  #leave: (end: MountEnd) => void = () => {}

  constructor(parameters: MountParameters, gate: MountGate) {
    this.#parameters = parameters
    this.#gate = gate
    this.#log = parameters.log
    const left = new Promise<MountEnd>(resolve => {
      this.#leave = resolve
    })
    this.ended = Promise.race([left, this.#unmounted()]).then(end => this.#finish(end))
  }

  async begin(): Promise<void> {
    const { mountPoint, source, notifySocket } = this.#parameters
    await this.#record()
    this.#log.info('mounted', { mountPoint, source, pid: process.pid })
    notifyServiceManager(notifySocket, 'READY=1', this.#log)
  }

  async stop(reason: string): Promise<void> {
    if (this.#isStopping) {
      await this.#hurry(reason)
    } else {
      this.#isStopping = true
      this.#log.info('the mount is being ended', { reason })
      notifyServiceManager(this.#parameters.notifySocket, 'STOPPING=1', this.#log)
      // A second call may end the mount before the storing that is waited for here.
      await Promise.race([this.#unmount(), this.ended])
    }
    await this.ended
  }

  /** Nobody unmounts while files are open, so an unmount that succeeds leaves only what closed files still owe. */
  async #unmount(): Promise<void> {
    await this.#parameters.beforeUnmount?.()
    if (this.#isHurried) return
    try {
      await this.#parameters.transport.unmount({ lazy: false })
    } catch (error) {
      this.#log.warn('the mount is still in use: storing what is dirty before it is taken away', { error })
      const end = await this.#store()
      await this.#detach()
      this.#leave(end)
    }
  }

  async #hurry(reason: string): Promise<void> {
    this.#isHurried = true
    this.#log.warn('the mount is being ended at once', { reason })
    await this.#detach()
    // A disk that hangs is not waited for either.
    await within(SYSTEM_TIMERS, SECURING_MS, this.#gate.secure())
    this.#leave({ isAllStored: false, kept: [] })
  }

  async #detach(): Promise<void> {
    try {
      await this.#parameters.transport.unmount({ lazy: true })
      this.#log.warn('the mount was detached from its mount point', { mountPoint: this.#parameters.mountPoint })
    } catch (error) {
      this.#log.warn('the mount could not be detached', { mountPoint: this.#parameters.mountPoint, error })
    }
  }

  async #unmounted(): Promise<MountEnd> {
    try {
      await this.#parameters.transport.ended
    } catch (error) {
      this.#log.error('the connection to the kernel failed', { error })
    }
    return this.#store()
  }

  async #store(): Promise<MountEnd> {
    try {
      this.#storing ??= this.#gate.shutdown()
      const { kept } = await this.#storing
      return { isAllStored: kept.length === 0, kept }
    } catch (error) {
      this.#log.error('what is dirty could not be stored', { error })
      return { isAllStored: false, kept: [] }
    }
  }

  async #finish(end: MountEnd): Promise<MountEnd> {
    for (const { path, keptAt } of end.kept) this.#log.error('not stored, kept on the local disk', { path, keptAt })
    await this.#record(end)
    const { mountPoint } = this.#parameters
    if (end.isAllStored) this.#log.info('unmounted, all is stored', { mountPoint })
    else this.#log.error('unmounted, not all is stored', { mountPoint, stateDir: this.#parameters.stateDir })
    return end
  }

  /** Without a record others can't wait for the driver's end; the mount works all the same. */
  async #record(end?: MountEnd): Promise<void> {
    const { mountPoint, source, stateDir, cacheDir } = this.#parameters
    try {
      const start = (await processStart(process.pid)) ?? ''
      const record = { pid: process.pid, processStart: start, mountPoint, source, cacheDir }
      await writeRecord(stateDir, end === undefined ? record : { ...record, end })
    } catch (error) {
      this.#log.warn('the record of the mount could not be written', { stateDir, error })
    }
  }
}
