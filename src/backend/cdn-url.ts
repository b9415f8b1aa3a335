import { percentEncodePath } from './signing/percent-encoding.js'
import { StoreError } from './store-error.js'

const BASE_URL = /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/

/** A base URL without slashes at its end. Throws `invalid` unless it is an http(s) URL without query and credentials. */
export function checkedBaseUrl(url: string, what: string): string {
  if (!BASE_URL.test(url)) throw new StoreError('invalid', `${what} is not an http:// or https:// URL: ${url}`)
  return url.replace(/\/+$/, '')
}

/** Where a key (or what begins with a prefix) is behind a base URL. */
export function urlBehind(base: string, keyOrPrefix: string): string {
  return `${base}/${percentEncodePath(keyOrPrefix)}`
}

/** The same, where there is a base. */
export function cdnUrl(base: string | undefined, keyOrPrefix: string): string | undefined {
  return base === undefined ? undefined : urlBehind(base, keyOrPrefix)
}
