import type { BlockCache } from '../cache/block-cache.js'
import type { FolderTimes } from '../cache/folder-times.js'
import type { KnownVersions } from '../cache/known-versions.js'
import type { MetadataCache } from '../cache/metadata-cache.js'
import type { AttributeDefaults } from './attributes.js'
import type { HolderProbe, KernelCache } from './operations.js'
import type { RenameJournal } from './rename-journal.js'
import type { WriterOptions } from './writer-services.js'

/** What a filesystem is made of. */
export interface FilesystemOptions extends WriterOptions {
  readonly metadata: MetadataCache
  readonly known: KnownVersions
  readonly folderTimes: FolderTimes
  readonly blocks: BlockCache
  readonly journal: RenameJournal
  readonly kernelCache: KernelCache
  readonly holders: HolderProbe
  readonly defaults: AttributeDefaults
  readonly metadataTtlMs: number
  /** `--attributes full`: a listing asks for the attributes of every object that it has not seen yet. */
  readonly asksAllAttributes: boolean
  /** Signals that end a program with nothing published of what it was writing. */
  readonly keptSignals: ReadonlySet<number>
  /** Where racing O_EXCL creators of several mounts are told apart: when they close, or when they open. */
  readonly exclusiveCreate: 'close' | 'open'
  readonly maxReadAheadBytes: number
  /** What statfs says the bucket can hold. */
  readonly sizeBytes: number
}
