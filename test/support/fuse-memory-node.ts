import type { Timestamp } from '../../src/fs/operations.js'

/** What a MemoryFilesystem holds under a name. */
export interface Node {
  readonly id: number
  readonly children: Map<string, Node> | undefined
  readonly xattrs: Map<string, Buffer>
  rdev: number
  data: Buffer
  sizeBytes: number
  mode: number
  uid: number
  gid: number
  atime: Timestamp
  mtime: Timestamp
  lookups: number
}

const S_IFMT = 0o170000
const S_IFDIR = 0o040000
const CHUNK = 1 << 20

export function makeNode(id: number, mode: number, uid: number, gid: number): Node {
  return {
    id,
    children: (mode & S_IFMT) === S_IFDIR ? new Map<string, Node>() : undefined,
    xattrs: new Map(),
    rdev: 0,
    data: Buffer.alloc(0),
    sizeBytes: 0,
    mode,
    uid,
    gid,
    atime: now(),
    mtime: now(),
    lookups: 0,
  }
}

/** What a write or chown takes away: setuid, and setgid where it is not the mark of mandatory locking. */
export function dropPrivileges(node: Node): void {
  if (node.children !== undefined) return
  node.mode &= (node.mode & 0o010) === 0 ? ~0o4000 : ~0o6000
}

/** What is new reads as zeros. */
export function resize(node: Node, sizeBytes: number): void {
  if (sizeBytes > node.data.length) {
    const grown = Buffer.alloc(Math.max(sizeBytes, node.data.length * 2, CHUNK))
    node.data.copy(grown, 0, 0, node.sizeBytes)
    node.data = grown
  } else if (sizeBytes < node.sizeBytes) node.data.fill(0, sizeBytes, node.sizeBytes)
  node.sizeBytes = sizeBytes
}

export function now(): Timestamp {
  const ms = Date.now()
  return { seconds: Math.floor(ms / 1000), nanoseconds: (ms % 1000) * 1e6 }
}
