import { type Identity, OTHER, OWNER, ROOT } from '../system-calls.js'

/** Who owns the sticky folder, who owns what is in it, and whether OWNER may remove, move or replace that. */
export const STICKY: readonly (readonly [Identity, Identity, boolean])[] = [
  [OWNER, OWNER, true],
  [OWNER, ROOT, true],
  [OWNER, OTHER, true],
  [ROOT, OWNER, true],
  [OTHER, OWNER, true],
  [ROOT, ROOT, false],
  [OTHER, OTHER, false],
  [ROOT, OTHER, false],
]
