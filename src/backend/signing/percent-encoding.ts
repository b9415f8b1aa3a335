const PLAIN_PATH = /^[\w.~/-]*$/

/** Every UTF-8 byte but the unreserved characters (RFC 3986, 2.3): what AWS signs. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The same with slashes as they are. */
export function percentEncodePath(path: string): string {
  return PLAIN_PATH.test(path) ? path : percentEncode(path).replaceAll('%2F', '/')
}

/** A query in the order of its encoded names, as signatures have it; what is undefined is left out. */
export function encodeQuery(query: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(query)
    .flatMap(([name, value]) => (value === undefined ? [] : `${percentEncode(name)}=${percentEncode(value)}`))
    .sort()
    .join('&')
}
