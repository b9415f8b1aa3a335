import { withoutDigests } from '../backend/content-digests.js'
import type { Attachments } from '../backend/object-store.js'
import { attributesFrom, timestampOf, withAttributes } from './attributes.js'
import type { Keeping } from './kept-files.js'
import type { Node } from './node.js'
import type { Tree } from './tree.js'

/** What is noted beside bytes that are kept. Costs no request: the store may be what failed. */
export function keepingOf(tree: Tree, node: Node, reason: string): Keeping {
  const shownEtag = (node.version ?? node.replaced)?.etag
  return { reason, path: node.path, shownEtag, attachments: attachmentsOf(tree, node) }
}

/** What this mount has changed of a node, and not stored, is gone: it shows its stored version again. */
export function revert(node: Node): void {
  const { known } = node
  node.own = attributesFrom(known?.metadata ?? {})
  node.modified = known?.shownModifiedMs === undefined ? undefined : timestampOf(known.shownModifiedMs)
  node.changed = undefined
  node.edited = undefined
}

function attachmentsOf(tree: Tree, node: Node): Attachments {
  const { known, edited, own, type } = node
  // Only changed bytes are kept: a digest of the old ones would lie.
  const old = known?.metadata ?? {}
  const metadata = withAttributes(withoutDigests(edited?.metadata ?? old, old), own, type)
  return { metadata, headers: tree.headers(node), traits: known?.traits }
}
