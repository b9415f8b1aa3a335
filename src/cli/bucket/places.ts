import { basename, dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseStorageUrl } from '../../backend/registry.js'
import type { Bucket } from '../../bucket/bucket.js'
import type { CommandContext } from './context.js'

export interface Place {
  readonly bucket: Bucket
  readonly key: string
}

/**
 * Where two words lead, each a key of the command's bucket or the URL of an object. Both have the same Bucket where it is the same
 * bucket, so that its server does the work.
 */
export async function placesOf(
  context: CommandContext,
  source: string,
  target: string,
): Promise<{ readonly from: Place; readonly to: Place }> {
  const bucket = await context.openBucket()
  if (!isUrl(source) && !isUrl(target)) return { from: { bucket, key: source }, to: { bucket, key: target } }
  const [from, to] = [locate(bucket, source), locate(bucket, target)]
  const opened = await context.openBucket({ text: from.url, place: 'SOURCE' })
  const other = from.url === to.url ? opened : await context.openBucket({ text: to.url, place: 'TARGET' })
  return { from: { bucket: opened, key: from.key }, to: { bucket: other, key: to.key } }
}

/** A whole bucket's URL, and a key in it. Of a file:// URL the last part is the key. */
function locate(bucket: Bucket, word: string): { readonly url: string; readonly key: string } {
  const { url: own } = bucket
  const parsed = parseStorageUrl(isUrl(word) ? word : own)
  const key = isUrl(word) ? '' : word
  if (parsed.scheme !== 'file') {
    // What stands behind the bucket in the URL of an object is its key, and no prefix with a slash at its end.
    const behind = isUrl(word) ? word.slice(word.indexOf('://') + 3 + parsed.bucket.length + 1) : parsed.prefix + key
    return { url: `${parsed.scheme}://${parsed.bucket}`, key: behind }
  }
  if (!isUrl(word)) return { url: own, key }
  const path = fileURLToPath(word)
  if (word.endsWith('/')) return { url: pathToFileURL(path.replace(/(.)\/$/, '$1')).href, key: '' }
  return { url: pathToFileURL(dirname(path)).href, key: basename(path) }
}

function isUrl(word: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//.test(word)
}
