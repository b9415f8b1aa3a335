import { compareKeys } from '../../backend/keys.js'

/** What two sequences have under one name. */
export type Pair<A, B> =
  | { readonly name: string; readonly source: A; readonly target: B }
  | { readonly name: string; readonly source: A; readonly target: undefined }
  | { readonly name: string; readonly source: undefined; readonly target: B }

/** Two sequences in key order as one. Throws what one of them throws: what is behind is not known then. */
export async function* sideBySide<A, B>(
  sources: AsyncIterable<A>,
  sourceName: (source: A) => string,
  targets: AsyncIterable<B>,
  targetName: (target: B) => string,
): AsyncGenerator<Pair<A, B>, void, undefined> {
  const [left, right] = [sources[Symbol.asyncIterator](), targets[Symbol.asyncIterator]()]
  try {
    let [a, b] = await Promise.all([left.next(), right.next()])
    while (a.done !== true || b.done !== true) {
      const order = orderOf(
        a.done === true ? undefined : sourceName(a.value),
        b.done === true ? undefined : targetName(b.value),
      )
      if (a.done !== true && b.done !== true && order === 0) {
        yield { name: sourceName(a.value), source: a.value, target: b.value }
        ;[a, b] = [await left.next(), await right.next()]
      } else if (a.done !== true && order < 0) {
        yield { name: sourceName(a.value), source: a.value, target: undefined }
        a = await left.next()
      } else if (b.done !== true) {
        yield { name: targetName(b.value), source: undefined, target: b.value }
        b = await right.next()
      }
    }
  } finally {
    await Promise.all([left.return?.(), right.return?.()])
  }
}

/** What has ended comes last. */
function orderOf(a: string | undefined, b: string | undefined): number {
  if (a === undefined) return 1
  return b === undefined ? -1 : compareKeys(a, b)
}
