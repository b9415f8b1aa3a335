import { aclState, cannedGrants, grantsOfTraits } from '../acl-grants.js'
import { throwIfAborted } from '../call.js'
import { cdnUrl, checkedBaseUrl, urlBehind } from '../cdn-url.js'
import { checkKey } from '../keys.js'
import type { CallOptions } from '../object-store.js'
import type { AclPower, CdnPower, Powers } from '../powers.js'
import { StoreError } from '../store-error.js'
import type { KeptTexts } from './kept-texts.js'
import { onDisk } from './local-errors.js'
import { LocalSigning } from './local-signing.js'
import type { ObjectFiles } from './object-files.js'
import type { ObjectWriter } from './object-writer.js'
import { isPublicAcl } from './public-acl.js'

export interface LocalPowerParts {
  readonly url: string
  readonly files: ObjectFiles
  readonly writer: ObjectWriter
  readonly texts: KeptTexts
  /** Where the folder is served, if an option says so; else it is asked who serves it now. */
  readonly publicUrl: string | undefined
  readonly nowMs: () => number
}

/** What a folder can do beside what every store can, for those who reach it through its HTTP handler. */
export function localPowers(parts: LocalPowerParts): Powers {
  const { texts, nowMs } = parts
  const baseUrl = () => servedAt(parts)
  return {
    acl: localAcl(parts),
    publicAccess: {
      url: (keyOrPrefix, options) =>
        onDisk('url', keyOrPrefix, async () => {
          throwIfAborted(options?.signal, 'url', keyOrPrefix)
          return urlBehind(await baseUrl(), keyOrPrefix)
        }),
      isPublic: (key, options = {}) => onObject(parts, 'isPublic', key, options, async ({ facts }) => facts.isPublic),
    },
    signing: new LocalSigning(texts, baseUrl, nowMs),
    cdn: localCdn(texts),
  }
}

async function servedAt({ url, texts, publicUrl }: LocalPowerParts): Promise<string> {
  const base = publicUrl ?? (await texts.read('address'))
  if (base !== undefined) return checkedBaseUrl(base, 'the address at which the folder is served')
  throw new StoreError(
    'unsupported',
    `${url} has URLs only where it is served: run "bucket serve", or use --public-url`,
  )
}

function localAcl(parts: LocalPowerParts): AclPower {
  return {
    get: (key, options = {}) => {
      if (key === undefined) return onDisk('getAcl', key, async () => aclState([], undefined))
      return onObject(parts, 'getAcl', key, options, async ({ facts }) =>
        aclState(grantsOfTraits(cannedGrants(facts.isPublic ? 'public-read' : 'private')), undefined),
      )
    },
    set: (key, acl, options = {}) =>
      onDisk('setAcl', key, async () => {
        throwIfAborted(options.signal, 'setAcl', key)
        if (key === undefined && acl === 'private') return
        if (key === undefined)
          throw new StoreError(
            'unsupported',
            `setAcl: a folder as a whole is private; its objects can be public-read`,
            {
              operation: 'setAcl',
            },
          )
        checkKey(key, 'setAcl')
        await parts.writer.setPublic(key, isPublicAcl(acl, 'setAcl', key), options)
      }),
  }
}

function localCdn(texts: KeptTexts): CdnPower {
  const base = ({ signal }: CallOptions = {}) =>
    onDisk('getCdn', undefined, async () => {
      throwIfAborted(signal, 'getCdn')
      return texts.read('cdn')
    })
  return {
    base,
    url: async (keyOrPrefix, options) => cdnUrl(await base(options), keyOrPrefix),
    setBase: (url, options = {}) =>
      onDisk('setCdn', undefined, async () => {
        throwIfAborted(options.signal, 'setCdn')
        await texts.replace('cdn', url === undefined ? undefined : checkedBaseUrl(url, "the CDN's URL"))
      }),
  }
}

function onObject<T>(
  { files }: LocalPowerParts,
  operation: string,
  key: string,
  { signal }: CallOptions,
  use: Parameters<typeof files.withObject<T>>[2],
): Promise<T> {
  return onDisk(operation, key, async () => {
    checkKey(key, operation)
    throwIfAborted(signal, operation, key)
    return files.withObject(key, operation, use)
  })
}
