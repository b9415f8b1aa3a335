import { FsError } from '../fs/fs-error.js'
import type { XattrDemand } from '../fs/operations.js'

/** The one namespace that an object's metadata can carry. */
const NAMESPACE = Buffer.from('user.')

/** setxattr(2): the two flags have other numbers on macOS. */
const [XATTR_CREATE, XATTR_REPLACE] = process.platform === 'darwin' ? [2, 4] : [1, 2]

/** One for all: where it was thrown tells nothing, and finding that out takes longer than the rest of the answer. */
const UNKEPT = new FsError('EOPNOTSUPP', 'only user. is kept')

/**
 * Refuses what the filesystem need not be asked for. The kernel and `ls -l` ask for attributes of `security.` and
 * `system.` of every file, so those cost nothing.
 */
export function checkXattrName(name: Uint8Array): void {
  if (!NAMESPACE.equals(name.subarray(0, NAMESPACE.length))) throw UNKEPT
  if (name.length === NAMESPACE.length) throw new FsError('EINVAL', 'an empty name')
}

/** What the flags of setxattr(2) demand. */
export function xattrDemand(flags: number): XattrDemand {
  const demands = flags & (XATTR_CREATE | XATTR_REPLACE)
  if (demands === 0) return undefined
  if (demands === XATTR_CREATE) return 'absent'
  if (demands === XATTR_REPLACE) return 'present'
  throw new FsError('EINVAL', 'XATTR_CREATE and XATTR_REPLACE exclude each other')
}

/** The answer of listxattr(2): each name with a NUL behind it. */
export function joinXattrNames(names: readonly Uint8Array[]): Buffer {
  const end = Uint8Array.of(0)
  return Buffer.concat(names.flatMap(name => [name, end]))
}
