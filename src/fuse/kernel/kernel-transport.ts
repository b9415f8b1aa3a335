import { realpath } from 'node:fs/promises'
import type { Filesystem } from '../../fs/operations.js'
import { forceUnmount } from '../../system/mount.js'
import { mountAt, readMountTable } from '../mount-table.js'
import type { Negotiation } from '../protocol/init.js'
import type { Transport, TransportOptions } from '../transport.js'
import { Device } from './device.js'
import { Dispatcher } from './dispatcher.js'
import { FdinfoProbe } from './holders.js'
import { Interrupts } from './interrupts.js'
import { Notifier } from './notifier.js'
import { setReadAhead } from './read-ahead.js'
import type { ReadAnswersData } from './read-answers.js'
import { Replies } from './replies.js'
import { mountFuse } from './system-mount.js'
import { unmountFuse } from './unmount.js'

/** The FUSE kernel protocol on /dev/fuse (Linux 5.4 and later). */
export class KernelTransport implements Transport {
  readonly kernelCache: Notifier
  readonly holders = new FdinfoProbe()
  readonly ended: Promise<void>
  readonly #options: TransportOptions
  #mountPoint: string
  #setEnded: () => void = () => {}

  constructor(options: TransportOptions) {
    this.#options = options
    this.#mountPoint = options.mountPoint
    this.kernelCache = new Notifier(options.log)
    this.ended = new Promise(resolve => {
      this.#setEnded = resolve
    })
  }

  async start(filesystem: Filesystem): Promise<void> {
    const { log, kernelReadAheadBytes } = this.#options
    this.#mountPoint = await realpath(this.#options.mountPoint)
    const device = new Device(await mountFuse(this.#options, this.#mountPoint), log)
    const answering: ReadAnswersData = { descriptor: device.descriptor }
    this.#options.threads?.loadAnswerer(new URL('./read-answers.js', import.meta.url), answering)
    try {
      await this.#serve(device, filesystem)
    } catch (error) {
      await this.#giveUp(device)
      throw error
    }
    this.kernelCache.attach(device.descriptor)
    const mounted = mountAt(await readMountTable(), this.#mountPoint)
    if (mounted === undefined) return
    this.holders.attach(mounted.device)
    await setReadAhead(mounted.device, kernelReadAheadBytes, log)
  }

  unmount(options: { readonly lazy: boolean }): Promise<void> {
    return unmountFuse(this.#mountPoint, options)
  }

  /** Begins to serve; resolves once the kernel and this code have agreed on a protocol. */
  #serve(device: Device, filesystem: Filesystem): Promise<void> {
    const { log, allowRoot, allowOther } = this.#options
    const replies = new Replies(device)
    const interrupts = new Interrupts(replies)
    return new Promise((resolve, reject) => {
      const dispatcher = new Dispatcher({
        serving: { filesystem, replies, keep: (start, sizeBytes) => device.keep(start, sizeBytes) },
        interrupts,
        log,
        onlyUser: allowRoot && !allowOther ? process.getuid?.() : undefined,
        onInit: outcome => settleInit(outcome, resolve, reject),
        onRetrieved: (unique, bytes) => this.kernelCache.retrieved(unique, bytes),
      })
      device.start({
        onMessage: message => dispatcher.receive(message),
        onEnd: error => {
          log.debug('the kernel ended the connection', { error })
          reject(new Error('the mount ended before the kernel began to use it', { cause: error }))
          void this.#finish(device, dispatcher, interrupts)
        },
      })
      process.on('exit', this.#onExit)
    })
  }

  /** Data threads own answers only of requests that are unfinished. */
  async #finish(device: Device, dispatcher: Dispatcher, interrupts: Interrupts): Promise<void> {
    await dispatcher.drain()
    interrupts.close()
    await this.kernelCache.close()
    this.holders.close()
    process.off('exit', this.#onExit)
    device.close()
    this.#setEnded()
  }

  /** A mount that can't be served is taken away again. */
  async #giveUp(device: Device): Promise<void> {
    try {
      await this.unmount({ lazy: true })
    } catch (error) {
      this.#options.log.debug('the failed mount is gone already', { error })
    }
    device.close()
  }

  /**
   * The end of a process waits for all its threads, and that of notifications may wait for a request that nobody will
   * answer any more.
   */
  readonly #onExit = (): void => {
    if (!this.kernelCache.writing) return
    try {
      forceUnmount(this.#mountPoint)
    } catch (error) {
      this.#options.log.debug('the mount could not be cut off', { error })
    }
  }
}

function settleInit(outcome: Negotiation, resolve: () => void, reject: (error: Error) => void): void {
  if (outcome.kind === 'agreed') resolve()
  else if (outcome.kind === 'too-old')
    reject(
      new Error(
        `the kernel speaks FUSE ${outcome.version}, but the kernel transport needs 7.31 (Linux 5.4); use --transport fuse-native`,
      ),
    )
}
