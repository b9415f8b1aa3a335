import type { ObjectVersion } from '../backend/object-store.js'
import type { Extent } from './extents.js'
import { FsError } from './fs-error.js'
import type { Piece } from './pieces.js'
import { isSameObject } from './remote-ranges.js'

/** A part of an upload: sent from here, or copied on the server from `offset` of a stored version. */
export type PlannedPart =
  | (Extent & { readonly kind: 'send' })
  | (Extent & { readonly kind: 'copy'; readonly version: ObjectVersion; readonly offset: number })

export interface PlanLimits {
  /** The least size of every part but the last. */
  readonly minPartBytes: number
  readonly maxPartBytes: number
  readonly maxParts: number
  /** Copied by one request at the most; 0 where the store can't copy parts. */
  readonly maxCopyBytes: number
  /** What parts are meant to have where nothing demands more. */
  readonly sendBytes: number
  readonly copyBytes: number
}

/** Sizes grow by doublings until the parts are few enough. */
const MAX_DOUBLINGS = 40

/**
 * The parts that make up a file of these pieces, in order: what stored objects hold is copied, and only what they do
 * not hold is sent, with as much of its neighbours as the least size of a part demands.
 */
export function planParts(pieces: readonly Piece[], limits: PlanLimits): PlannedPart[] {
  for (let doublings = 0; doublings <= MAX_DOUBLINGS; doublings++) {
    const scale = 2 ** doublings
    const leastCopyBytes = limits.minPartBytes * scale
    const runs = grow(runsOf(pieces, leastCopyBytes, limits), leastCopyBytes, limits)
    const steps = stepsOf(limits, scale)
    const count = runs.reduce((sum, run) => sum + Math.ceil(sizeOf(run) / steps[run.kind]), 0)
    if (count <= limits.maxParts) return divide(runs, steps, limits.minPartBytes)
  }
  throw new FsError('EFBIG', `a file of more than ${limits.maxParts} parts`)
}

/** Neighbours of one kind together; what is too little to be a part of its own is sent. */
function runsOf(pieces: readonly Piece[], leastCopyBytes: number, limits: PlanLimits): PlannedPart[] {
  const runs: PlannedPart[] = []
  for (const part of joined(pieces.map(toPart))) {
    const isLast = part.end === pieces.at(-1)?.end
    const isLargeEnough = isLast || sizeOf(part) >= leastCopyBytes
    runs.push(isLargeEnough && isCopied(part, limits) ? part : { kind: 'send', start: part.start, end: part.end })
  }
  return joined(runs)
}

/** S3 copies ranges only of objects that are larger than the least part. */
function isCopied(part: PlannedPart, { maxCopyBytes, minPartBytes }: PlanLimits): boolean {
  return part.kind === 'copy' && maxCopyBytes > 0 && part.version.sizeBytes > minPartBytes
}

function toPart(piece: Piece): PlannedPart {
  const { start, end } = piece
  if (piece.kind !== 'remote') return { kind: 'send', start, end }
  return { kind: 'copy', start, end, version: piece.version, offset: piece.offset }
}

function joined(parts: readonly PlannedPart[]): PlannedPart[] {
  const result: PlannedPart[] = []
  for (const part of parts) {
    const last = result.at(-1)
    if (last !== undefined && continues(last, part)) result[result.length - 1] = { ...last, end: part.end }
    else result.push(part)
  }
  return result
}

function continues(before: PlannedPart, part: PlannedPart): boolean {
  if (before.kind === 'send' || part.kind === 'send') return before.kind === part.kind
  return isSameObject(before.version, part.version) && part.offset - part.start === before.offset - before.start
}

/** Gives what is sent and too little for a part as much of its neighbours as is missing, or all where little is left. */
function grow(runs: readonly PlannedPart[], leastCopyBytes: number, limits: PlanLimits): PlannedPart[] {
  const result: PlannedPart[] = []
  const rest = [...runs]
  for (let next = 0; next < rest.length; ) {
    const run = rest[next++]
    if (run === undefined || run.kind === 'copy') {
      if (run !== undefined) result.push(run)
      continue
    }
    let { start, end } = run
    for (let right = rest[next]; right !== undefined; right = rest[next]) {
      const missingBytes = limits.minPartBytes - (end - start)
      if (right.kind === 'copy' && missingBytes <= 0) break
      const isLast = next === rest.length - 1
      const left = isLast ? undefined : result.at(-1)
      if (right.kind === 'copy' && sizeOf(right) - missingBytes >= (isLast ? 1 : leastCopyBytes)) {
        end += missingBytes
        rest[next] = { ...right, start: end, offset: right.offset + missingBytes }
      } else if (right.kind === 'copy' && left?.kind === 'copy' && sizeOf(left) - missingBytes >= leastCopyBytes) {
        start -= missingBytes
        result[result.length - 1] = { ...left, end: start }
      } else {
        end = right.end
        next += 1
      }
    }
    result.push({ kind: 'send', start, end })
  }
  return result
}

/** What parts have: room is left for a rest that is too little for a part of its own. */
function stepsOf(limits: PlanLimits, scale: number): Readonly<Record<PlannedPart['kind'], number>> {
  const { minPartBytes, maxPartBytes, maxCopyBytes } = limits
  return {
    send: Math.min(limits.sendBytes * scale, maxPartBytes - minPartBytes),
    copy: Math.min(limits.copyBytes * scale, Math.min(maxPartBytes, maxCopyBytes) - minPartBytes),
  }
}

/** Cuts what is larger than a part is meant to be. */
function divide(
  runs: readonly PlannedPart[],
  steps: Readonly<Record<PlannedPart['kind'], number>>,
  minPartBytes: number,
): PlannedPart[] {
  return runs.flatMap((run, index) => {
    const leastRest = index === runs.length - 1 ? 1 : minPartBytes
    const parts: PlannedPart[] = []
    for (let start = run.start; start < run.end; start = parts.at(-1)?.end ?? run.end) {
      const end = run.end - start - steps[run.kind] < leastRest ? run.end : start + steps[run.kind]
      parts.push(
        run.kind === 'send' ? { ...run, start, end } : { ...run, start, end, offset: run.offset + start - run.start },
      )
    }
    return parts
  })
}

function sizeOf(part: Extent): number {
  return part.end - part.start
}
