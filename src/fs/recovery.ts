import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import mime from 'mime/lite'
import type { Attachments, ObjectInfo, ObjectStore, WriteConditions } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import { BufferBudget } from '../cache/buffer-budget.js'
import type { Committer } from './commit.js'
import { type Extent, Extents } from './extents.js'
import type { KeptFile, KeptRecord, Ranges } from './kept-files.js'
import { LocalContent } from './local-content.js'
import { MemoryBudget } from './memory-budget.js'
import { RemoteRanges } from './remote-ranges.js'
import type { StagingArea } from './staging.js'
import { StagingFile } from './staging-file.js'

/** What kept bytes are stored with. */
export interface RecoveryServices {
  readonly store: ObjectStore
  readonly committer: Committer
  readonly area: StagingArea
}

/** Why kept bytes stay where they are, in words for a person. */
export class RecoveryError extends Error {
  override readonly name = 'RecoveryError'
}

/** A range of a kept file and where its bytes are; those that are `gone` can't be had any more. */
type KeptPiece = Extent & { readonly kind: 'kept' | 'base' | 'zero' | 'gone' }

const CHUNK_BYTES = 1024 * 1024

/** Cuts a kept file into pieces, in order. */
export function piecesOfKept(record: KeptRecord): readonly KeptPiece[] {
  // Where it is not known which bytes were written, those that were not are zeros in the kept file.
  const kept = extentsOf(record.ranges ?? [[0, record.sizeBytes]])
  const lost = extentsOf(record.lost ?? [])
  const others = record.baseEtag === undefined ? 'zero' : 'base'
  return kept.split(0, record.sizeBytes).flatMap(({ start, end, isInside }): KeptPiece[] => {
    if (isInside) return [{ start, end, kind: 'kept' }]
    return lost.split(start, end).map(rest => ({
      start: rest.start,
      end: rest.end,
      kind: rest.isInside ? 'gone' : others,
    }))
  })
}

/** The record says which bytes were written, and none of them is gone. */
export function isWhole(record: KeptRecord): boolean {
  return record.ranges !== undefined && !piecesOfKept(record).some(piece => piece.kind === 'gone')
}

export interface SaveOptions {
  /** Replaces a file that is there. */
  readonly force: boolean
  /** Opens the store, where bytes of the base are needed. */
  readonly store: () => Promise<ObjectStore>
}

/**
 * Writes a kept file as its program saw it. Resolves with how many bytes could not be had and are zeros instead.
 * Rejects with EEXIST where the target exists, and with a StoreError where the store can't be asked.
 */
export async function saveKept(
  kept: KeptFile,
  data: FileHandle,
  target: string,
  options: SaveOptions,
): Promise<{ readonly missingBytes: number }> {
  const path = options.force ? `${target}.${kept.id}` : target
  const output = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666)
  try {
    let missingBytes = 0
    for (const piece of piecesOfKept(kept.record))
      if (!(await savePiece(piece, kept, data, output, options))) missingBytes += piece.end - piece.start
    await output.truncate(kept.record.sizeBytes)
    await output.sync()
    await output.close()
    if (options.force) await rename(path, target)
    return { missingBytes }
  } catch (error) {
    await output.close()
    await rm(path, { force: true })
    throw error
  }
}

/** False: the bytes can't be had. */
async function savePiece(
  { start, end, kind }: KeptPiece,
  { record }: KeptFile,
  data: FileHandle,
  output: FileHandle,
  { store }: SaveOptions,
): Promise<boolean> {
  if (kind === 'zero') return true
  if (kind === 'gone') return false
  if (kind === 'base') return saveBase(await store(), record, { start, end }, output)
  for (let at = start; at < end; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at))
    const { bytesRead } = await data.read(chunk, 0, chunk.length, at)
    // Zeros at the end take no room.
    if (bytesRead === 0) return true
    await writeAll(output, chunk.subarray(0, bytesRead), at)
    at += bytesRead
  }
  return true
}

async function saveBase(
  store: ObjectStore,
  record: KeptRecord,
  { start, end }: Extent,
  output: FileHandle,
): Promise<boolean> {
  try {
    const range = { offset: start, lengthBytes: end - start }
    const { body } = await store.get(record.key, { range, ifMatch: record.baseEtag })
    let at = start
    for await (const chunk of body) {
      await writeAll(output, chunk, at)
      at += chunk.length
    }
    return true
  } catch (error) {
    if (isStoreError(error, 'precondition-failed', 'not-found')) return false
    throw error
  }
}

async function writeAll(output: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await output.write(bytes, done, bytes.length - done, offset + done)).bytesWritten
}

/**
 * Stores kept bytes under their key, unless others have changed the object since: `force` replaces whatever is there.
 * Rejects with RecoveryError where something stands in the way, and with a StoreError; nothing is stored then.
 */
export async function retryKept(
  kept: KeptFile,
  data: FileHandle,
  services: RecoveryServices,
  { force, signal }: { readonly force: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { record } = kept
  if (!isWhole(record))
    throw new RecoveryError('only a part of it is known to be there: save what there is, and look at it')
  const base = piecesOfKept(record).some(piece => piece.kind === 'base') ? await findBase(record, services) : undefined
  const { area, committer } = services
  // Zeros at the end take no room.
  await data.truncate(record.sizeBytes)
  const file = new StagingFile(area, kept.id, kept.dataPath, data)
  for (const [start, end] of record.ranges ?? []) file.held.add(start, end)
  const content = new LocalContent({
    area,
    budget: new MemoryBudget(new BufferBudget(0)),
    maxMemoryBytes: 0,
    owner: () => ({ key: record.key, baseEtag: record.baseEtag }),
    file,
  })
  const remote = new RemoteRanges()
  remote.reset(base)
  try {
    await committer.commit({
      key: record.key,
      file: { content, dropped: new Extents(), remote, base, sizeBytes: record.sizeBytes },
      stream: undefined,
      conditions: force ? {} : conditionsOf(record),
      attachments: () => attachmentsOf(record, services),
      signal,
    })
  } catch (error) {
    if (!isStoreError(error, 'precondition-failed', 'not-found')) throw error
    const what = record.shownEtag === undefined ? 'others have made it meanwhile' : 'others have changed it meanwhile'
    throw new RecoveryError(`${what}: --force replaces what is there, save leaves it alone`, { cause: error })
  }
}

/** The version that the kept bytes are to be laid over, which must be what is there now. */
async function findBase(record: KeptRecord, { store }: RecoveryServices): Promise<ObjectInfo> {
  const found = await store.head(record.key).catch((error: unknown) => {
    if (isStoreError(error, 'not-found')) return undefined
    throw error
  })
  if (found?.etag === record.baseEtag && found !== undefined) return found
  const what = found === undefined ? 'removed' : 'changed'
  throw new RecoveryError(
    `only what was edited is kept, and others have ${what} the rest: save --partial has the edits`,
  )
}

function conditionsOf({ baseEtag, shownEtag }: KeptRecord): WriteConditions {
  const ifMatch = baseEtag ?? shownEtag
  // Its mount may have stored it and not heard of that.
  return ifMatch === undefined ? { ifNoneMatch: '*', mayBeStored: true } : { ifMatch, mayBeStored: true }
}

/** What was to be kept beside the bytes. Traits that the mount had not heard of yet are those of the object that is replaced. */
async function attachmentsOf(record: KeptRecord, { store }: RecoveryServices): Promise<Attachments> {
  const { key, baseEtag, shownEtag } = record
  const noted = record.attachments ?? { headers: { contentType: mime.getType(key) ?? undefined } }
  const isNew = baseEtag === undefined && shownEtag === undefined
  if (isNew || noted.traits !== undefined) return noted
  const traits = await store.traits(key).catch((error: unknown) => {
    // Then there are none, and the condition says what becomes of the bytes.
    if (isStoreError(error, 'not-found')) return {}
    throw error
  })
  return { ...noted, traits }
}

function extentsOf(ranges: Ranges): Extents {
  const extents = new Extents()
  for (const [start, end] of ranges) extents.add(start, end)
  return extents
}
