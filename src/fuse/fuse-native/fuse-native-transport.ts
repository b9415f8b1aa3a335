import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Filesystem, HolderProbe, KernelCache } from '../../fs/operations.js'
import { setReadAhead } from '../kernel/read-ahead.js'
import { unmountFuse } from '../kernel/unmount.js'
import { mountAt, readMountTable } from '../mount-table.js'
import type { Transport, TransportOptions } from '../transport.js'
import { checkAllowOther } from './allow-other.js'
import { createFuse, type Fuse, loadFuseNative } from './package.js'
import { PathNodes } from './path-nodes.js'
import { PathOperations } from './path-operations.js'

/** How often it is looked whether somebody else has unmounted: the package does not tell. */
const LOOK_EVERY_MS = 500

/** The package keeps all options in 1,024 bytes. */
const MAX_SOURCE_CHARACTERS = 256

/**
 * The npm package fuse-native, on libfuse 2. Its exceptions against the kernel transport, each forced by libfuse 2 or by
 * the package's C code:
 *
 * - No pid, uid or gid of the caller: every FLUSH commits (no holder is ever found), new files belong to the driver's user.
 * - No INTERRUPT: a killed program waits for the answer of a call that is under way.
 * - CREATE comes without flags: O_EXCL, O_APPEND and O_SYNC of a new file are not seen; a conflict is ESTALE.
 * - `> existing` comes as an open and a truncate by path, which joins the open writer.
 * - utimens gives the atime twice: mtime is set to the atime, which is right for `touch` and wrong for `cp -p` and tar.
 *   Times are milliseconds, none before 1970 (EINVAL), and setting one of the two alone is not told at all.
 * - An unlinked file that is still open can't be read or written any more (`hard_remove`; without it libfuse would rename
 *   it to a `.fuse_hidden` object).
 * - Names, targets of links and names of extended attributes are text: what is no UTF-8 can't be reached, and is EILSEQ
 *   where it would be made; so is what holds U+FFFD, which such bytes arrive as.
 * - mknod of a regular file comes as a create and a release: why it could not be stored is told by the log only.
 * - Extended attributes: before each write the kernel asks for `security.capability`, which is refused without a look at
 *   the file. The package's own handlers overrun a buffer that is too small; `createFuse` puts others in their place.
 * - Requests of 128 KiB at the most; statfs in 32 bits (the block grows instead); st_ino is libfuse's own.
 * - No notifications: so the kernel is told to remember neither names nor attributes. Pages are dropped at every open.
 * - No renameat2 flags (EINVAL) and no fallocate (EOPNOTSUPP; posix_fallocate writes zeros instead). lseek sees no holes:
 *   the whole file is data. copy_file_range reads and writes.
 * - chown of neither user nor group is told, as a chmod, only where it takes setuid or setgid away.
 * - A listing is collected whole, without attributes.
 * - DEBUG=* switches on libfuse's own debugging to stderr.
 */
export class FuseNativeTransport implements Transport {
  readonly kernelCache: KernelCache
  /** The pids are unknown. */
  readonly holders: HolderProbe = { isHeld: () => false, killedBy: () => undefined }
  readonly ended: Promise<void>
  readonly #options: TransportOptions
  #mountPoint: string
  #nodes: PathNodes | undefined
  #setEnded: () => void = () => {}

  constructor(options: TransportOptions) {
    this.#options = options
    this.#mountPoint = options.mountPoint
    this.kernelCache = {
      invalidateNode: () => {},
      // The kernel remembers no names, but this adapter does.
      invalidateEntry: () => this.#nodes?.clear(),
    }
    this.ended = new Promise(resolve => {
      this.#setEnded = resolve
    })
  }

  async start(filesystem: Filesystem): Promise<void> {
    const Fuse = loadFuseNative()
    await checkAllowOther(this.#options)
    // Unmounting is done here, by the system call or without a shell, before the package gives its resources back.
    Fuse.unmount = (_mountPoint, done) => done(null)
    this.#mountPoint = await realpath(this.#options.mountPoint)
    const nodes = new PathNodes(filesystem)
    this.#nodes = nodes
    const { allowOther, allowRoot, defaultPermissions, log } = this.#options
    const fuse = createFuse(Fuse, this.#mountPoint, new PathOperations(filesystem, nodes, this.#options), {
      timeout: false,
      fsname: libfuseOptions(this.#options),
      subtype: 'mount-bucket',
      allowOther,
      allowRoot: allowRoot && !allowOther,
      defaultPermissions,
    })
    await settle(done => fuse.mount(done))
    const mounted = await this.#findMount()
    if (mounted !== undefined) await setReadAhead(mounted, this.#options.kernelReadAheadBytes, log)
    void this.#watch(fuse)
  }

  async unmount(options: { readonly lazy: boolean }): Promise<void> {
    await unmountFuse(this.#mountPoint, options)
  }

  async #watch(fuse: Fuse): Promise<void> {
    try {
      while (await this.#isMounted()) await sleep(LOOK_EVERY_MS)
      this.#nodes?.clear()
      await settle(done => fuse.unmount(done))
    } catch (error) {
      this.#options.log.error('the mount could not be given up', { error })
    }
    this.#setEnded()
  }

  async #isMounted(): Promise<boolean> {
    if (process.platform === 'linux') return (await this.#findMount()) !== undefined
    const [here, above] = await Promise.all([stat(this.#mountPoint), stat(dirname(this.#mountPoint))])
    return here.dev !== above.dev
  }

  async #findMount(): Promise<string | undefined> {
    return mountAt(await readMountTable(), this.#mountPoint)?.device
  }
}

/** The value of `fsname`, behind which further options of libfuse follow. */
function libfuseOptions(options: TransportOptions): string {
  const source = options.source.slice(0, MAX_SOURCE_CHARACTERS).replace(/[\\,]/g, character => `\\${character}`)
  const words = [
    source,
    'big_writes',
    'hard_remove',
    'entry_timeout=0',
    'attr_timeout=0',
    'negative_timeout=0',
    ...options.mountOptions,
  ]
  if (options.readOnly) words.push('ro')
  return words.join(',')
}

function settle(call: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => call(error => (error ? reject(error) : resolve())))
}
