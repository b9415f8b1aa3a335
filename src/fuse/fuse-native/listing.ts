import type { CallContext, DirectoryEntry, DirectorySink, Filesystem } from '../../fs/operations.js'

export interface NamedEntry {
  readonly name: string
  readonly mode: number
  readonly ino: number
}

/** Entries taken from the filesystem in one go. */
const BATCH = 1000

/** A whole folder: libfuse 2 has no other way that the package offers. */
export async function listAll(
  filesystem: Filesystem,
  handle: number,
  call: CallContext,
): Promise<readonly NamedEntry[]> {
  const all: NamedEntry[] = []
  let offset = 0
  for (;;) {
    const batch = new Batch()
    await filesystem.readdir(handle, offset, false, batch, call)
    if (batch.entries.length === 0) return all
    all.push(...batch.entries)
    offset = batch.nextOffset
  }
}

class Batch implements DirectorySink {
  readonly entries: NamedEntry[] = []
  nextOffset = 0

  add({ name, mode, ino, nextOffset }: DirectoryEntry): boolean {
    if (this.entries.length === BATCH) return false
    this.entries.push({ name: typeof name === 'string' ? name : Buffer.from(name).toString('utf8'), mode, ino })
    this.nextOffset = nextOffset
    return true
  }
}
