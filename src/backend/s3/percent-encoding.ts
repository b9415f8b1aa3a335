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
