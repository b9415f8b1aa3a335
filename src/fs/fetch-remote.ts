import { inParallel } from '../backend/in-parallel.js'
import type { ObjectInfo, ObjectStore, ObjectVersion } from '../backend/object-store.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import type { Extent } from './extents.js'
import { FsError } from './fs-error.js'
import type { Told } from './known-traits.js'
import { piecesOf, type WrittenFile } from './pieces.js'
import { isSameObject, type RemoteRange } from './remote-ranges.js'

/** Ranges of one object that lie no further apart are fetched with one request. */
const MAX_GAP_BYTES = 1024 * 1024

const REQUESTS_AT_ONCE = 4
/** The least part that S3 takes, to which an edit is filled up, comes by two. */
const MIN_REQUEST_BYTES = 2.5 * 1024 * 1024
const MAX_REQUEST_BYTES = 8 * 1024 * 1024

/**
 * Makes the bytes of a range local that are in stored objects. A body must not read them while it is being sent: it
 * holds a request's slot then, and bodies that wait for each other's slots would wait for ever. `onInfo` hears what
 * GETs tell of the version that is edited.
 */
export async function fetchRemote(
  store: ObjectStore,
  file: WrittenFile,
  start: number,
  end: number,
  onInfo?: (info: ObjectInfo) => void,
): Promise<void> {
  await inParallel(piecesToFetch(runsOf(file, start, end)), REQUESTS_AT_ONCE, async run => {
    try {
      await fetchRun(store, file, run, isOfBase(run, file) ? onInfo : undefined)
    } catch (error) {
      throw sourceChanged(error, run.version, file.base)
    }
  })
}

/** What is fetched early, since its GETs tell more than bytes. */
export interface EarlyFetch extends Extent {
  /** What the first one told of the version that is edited. Settles when `done` does, at the latest. */
  readonly told: Told
  readonly done: Promise<void>
}

/** Begins to make a range local in which bytes of the version that is edited are. */
export function fetchEarly(store: ObjectStore, file: WrittenFile, start: number, end: number): EarlyFetch {
  let tell: (info: ObjectInfo) => void = () => undefined
  const first = new Promise<ObjectInfo>(resolve => {
    tell = resolve
  })
  const done = fetchRemote(store, file, start, end, info => tell(info))
  const told = Promise.race([first, done.then(() => undefined)])
  // Who needs the bytes hears of the failure.
  told.catch(() => undefined)
  return { start, end, told, done }
}

/** Whether bytes of the version that is edited would be fetched for the range. */
export function fetchesBase(file: WrittenFile, start: number, end: number): boolean {
  if (file.base === undefined) return false
  return piecesOf(file, start, end).some(piece => piece.kind === 'remote' && isOfBase(piece, file))
}

function isOfBase({ version }: RemoteRange, { base }: WrittenFile): boolean {
  return base !== undefined && isSameObject(version, base)
}

/** Cuts what is large, so that several requests share it: a connection to a distant store is slower than the store. */
async function* piecesToFetch(runs: readonly RemoteRange[]): AsyncGenerator<RemoteRange> {
  for (const run of runs) {
    const share = Math.ceil((run.end - run.start) / REQUESTS_AT_ONCE)
    const stepBytes = Math.min(MAX_REQUEST_BYTES, Math.max(MIN_REQUEST_BYTES, share))
    for (let at = run.start; at < run.end; at += stepBytes)
      yield { ...run, start: at, end: Math.min(at + stepBytes, run.end), offset: run.offset + at - run.start }
  }
}

/**
 * The error of a request for bytes of `version`. Where these are gone the writer hears ESTALE: as the loser against
 * another writer where it is the version that is edited, else because what it took bytes from has changed.
 */
export function sourceChanged(error: unknown, version: ObjectVersion, base: ObjectVersion | undefined): unknown {
  if (!isStoreError(error, 'precondition-failed', 'not-found')) return error
  const { key, kind, operation } = error
  if (base === undefined || !isSameObject(version, base))
    return new FsError('ESTALE', `${version.key}, of which bytes were copied, has changed`, error)
  if (kind === 'precondition-failed') return error
  return new StoreError('precondition-failed', 'the object was removed', {
    cause: error,
    ...(key !== undefined && { key }),
    ...(operation !== undefined && { operation }),
  })
}

async function fetchRun(
  store: ObjectStore,
  file: WrittenFile,
  run: RemoteRange,
  onInfo: ((info: ObjectInfo) => void) | undefined,
): Promise<void> {
  const range = { offset: run.offset, lengthBytes: run.end - run.start }
  const { info, body } = await store.get(run.version.key, { range, ifMatch: run.version.etag })
  onInfo?.(info)
  let at = run.start
  for await (const chunk of body) {
    // What was written over it stays.
    for (const piece of piecesOf(file, at, at + chunk.length))
      if (piece.kind === 'remote')
        await file.content.write(piece.start, chunk.subarray(piece.start - at, piece.end - at))
    at += chunk.length
  }
}

/** The remote pieces of a range, those of one object that lie close together as one. */
function runsOf(file: WrittenFile, start: number, end: number): RemoteRange[] {
  const runs: RemoteRange[] = []
  for (const piece of piecesOf(file, start, end)) {
    if (piece.kind !== 'remote') continue
    const last = runs.at(-1)
    const isNext =
      last !== undefined &&
      isSameObject(last.version, piece.version) &&
      piece.offset - piece.start === last.offset - last.start &&
      piece.start - last.end <= MAX_GAP_BYTES
    if (isNext) runs[runs.length - 1] = { ...last, end: piece.end }
    else runs.push(piece)
  }
  return runs
}
