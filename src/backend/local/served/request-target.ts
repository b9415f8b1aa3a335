import { Refusal } from './refusal.js'

export interface RequestTarget {
  /** Empty: the folder itself. */
  readonly key: string
  readonly query: ReadonlyMap<string, string>
}

/**
 * What the first line of a request names. A key is taken as it is written, without resolving `.` and `..`: it is a key of
 * the store, which no key leaves, and not a path. Throws 400 for what can't be decoded or names something twice.
 */
export function readTarget(url: string): RequestTarget {
  const [, path = '', queryText = ''] = /^(?:https?:\/\/[^/?]*)?\/?([^?#]*)(?:\?([^#]*))?/i.exec(url) ?? []
  const query = new Map<string, string>()
  for (const pair of queryText === '' ? [] : queryText.split('&')) {
    const [name = '', ...rest] = pair.split('=')
    const decoded = decode(name)
    if (query.has(decoded)) throw new Refusal(400, 'InvalidRequest', 'a parameter is given twice')
    query.set(decoded, decode(rest.join('=')))
  }
  return { key: decode(path), query }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new Refusal(400, 'InvalidURI', 'the URL is not UTF-8, percent-encoded', error)
  }
}
