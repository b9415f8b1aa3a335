import { compareKeys } from '../backend/keys.js'
import type { ObjectVersion } from '../backend/object-store.js'
import type { Listed } from './listing.js'

/** Keys in order as a listing without a delimiter brings them. */
export interface FlatRun {
  readonly objects: readonly ObjectVersion[]
  /** No key is missing between this one and the last. */
  readonly after: string
  /** The last key that the run reached; undefined: there are no more below the root. */
  readonly last: string | undefined
}

/** What a run tells of folders: all of them, or the beginnings of those that the run ends in. */
export interface FoldersOfRun {
  readonly whole: ReadonlyMap<string, Listed>
  readonly begun: ReadonlyMap<string, Listed>
}

interface OpenFolder {
  readonly prefix: string
  readonly objects: ObjectVersion[]
  readonly prefixes: string[]
}

/** The folders below `root` whose first keys are in the run, by prefix, as a listing with a delimiter would show them. */
export function foldersOf({ objects, after, last }: FlatRun, root: string): FoldersOfRun {
  const whole = new Map<string, Listed>()
  const begun = new Map<string, Listed>()
  const open: OpenFolder[] = []
  const close = (folder: OpenFolder, found: Map<string, Listed>) => {
    if (compareKeys(folder.prefix, after) > 0) found.set(folder.prefix, folder)
  }
  for (const object of objects) {
    const { key } = object
    let inner = open.at(-1)
    while (inner !== undefined && !key.startsWith(inner.prefix)) {
      close(inner, whole)
      open.pop()
      inner = open.at(-1)
    }
    let from = inner?.prefix.length ?? root.length
    for (let slash = key.indexOf('/', from); slash >= 0; slash = key.indexOf('/', from)) {
      const folder = { prefix: key.slice(0, slash + 1), objects: [], prefixes: [] }
      inner?.prefixes.push(folder.prefix)
      open.push(folder)
      inner = folder
      from = slash + 1
    }
    inner?.objects.push(object)
  }
  for (const folder of open) close(folder, last === undefined ? whole : begun)
  return { whole, begun }
}
