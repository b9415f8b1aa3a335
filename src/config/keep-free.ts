import { parseSize } from './quantities.js'

/** What `--cache-free` takes. */
export const KEEP_FREE = /^(?:100|\d{1,2}(?:\.\d+)?)%$|^\d+(?:\.\d+)? ?(?:[KMGTPE]?(?:iB)?|[KMGTPE]B|B)$/i

/** How much of a disk stays free for others: so many bytes, or a share of the whole disk, up to 1. */
export type KeepFree = { readonly bytes: number } | { readonly share: number }

/** A rule that was found wrong comes here as undefined, and its fault is told all the same. */
export function keepFreeOf(text: string | undefined): KeepFree {
  if (text === undefined) return { share: 0 }
  if (text.endsWith('%')) return { share: Number.parseFloat(text) / 100 }
  return { bytes: parseSize(text) ?? 0 }
}
