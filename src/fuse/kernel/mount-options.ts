import { MountFlag } from '../../system/mount.js'
import { MAX_TRANSFER_BYTES } from '../protocol/init.js'
import type { TransportOptions } from '../transport.js'

/** Options of mount(8) that are flags of mount(2): [set, clear]. */
const FLAGS: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['ro', [MountFlag.RDONLY, 0]],
  ['rw', [0, MountFlag.RDONLY]],
  ['nosuid', [MountFlag.NOSUID, 0]],
  ['suid', [0, MountFlag.NOSUID]],
  ['nodev', [MountFlag.NODEV, 0]],
  ['dev', [0, MountFlag.NODEV]],
  ['noexec', [MountFlag.NOEXEC, 0]],
  ['exec', [0, MountFlag.NOEXEC]],
  ['sync', [MountFlag.SYNCHRONOUS, 0]],
  ['async', [0, MountFlag.SYNCHRONOUS]],
  ['dirsync', [MountFlag.DIRSYNC, 0]],
  ['nosymfollow', [MountFlag.NOSYMFOLLOW, 0]],
  ['symfollow', [0, MountFlag.NOSYMFOLLOW]],
  ['noatime', [MountFlag.NOATIME, 0]],
  ['atime', [0, MountFlag.NOATIME]],
  ['nodiratime', [MountFlag.NODIRATIME, 0]],
  ['diratime', [0, MountFlag.NODIRATIME]],
  ['relatime', [MountFlag.RELATIME, 0]],
  ['norelatime', [0, MountFlag.RELATIME]],
  ['strictatime', [MountFlag.STRICTATIME, 0]],
  ['nostrictatime', [0, MountFlag.STRICTATIME]],
  ['lazytime', [MountFlag.LAZYTIME, 0]],
  ['nolazytime', [0, MountFlag.LAZYTIME]],
])

/** As mount.fuse3 does: what a store holds is not trusted with privileges unless root asks for it. */
const DEFAULT_FLAGS = MountFlag.NOSUID | MountFlag.NODEV

/** What is common to mount(2) and fusermount3. */
function fuseOptions(options: TransportOptions): string[] {
  const words = [`max_read=${MAX_TRANSFER_BYTES}`]
  // The kernel knows no allow_root: all may come, and the dispatcher serves only the owner and root.
  if (options.allowOther || options.allowRoot) words.push('allow_other')
  if (options.defaultPermissions) words.push('default_permissions')
  return words
}

/** `flags` and `data` of mount(2). `descriptor` is /dev/fuse, `uid` and `gid` whom the mount belongs to. */
export function systemMountOptions(
  options: TransportOptions,
  descriptor: number,
  uid: number,
  gid: number,
): { readonly flags: number; readonly data: string } {
  let flags: number = DEFAULT_FLAGS
  const data = [`fd=${descriptor}`, 'rootmode=40000', `user_id=${uid}`, `group_id=${gid}`, ...fuseOptions(options)]
  for (const word of options.mountOptions) {
    const change = FLAGS.get(word)
    if (change === undefined) data.push(word)
    else flags = (flags | change[0]) & ~change[1]
  }
  if (options.readOnly) flags |= MountFlag.RDONLY
  return { flags, data: data.join(',') }
}

/** The argument of `fusermount3 -o`. */
export function fusermountOptions(options: TransportOptions, type: string): string {
  const words = [...fuseOptions(options), ...options.mountOptions]
  if (options.readOnly) words.push('ro')
  const source = options.source.replace(/[\\,]/g, character => `\\${character}`)
  return [`fsname=${source}`, `subtype=${type}`, ...words].join(',')
}
