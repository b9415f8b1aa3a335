import type { CallOptions } from '../object-store.js'
import type {
  AclPower,
  CdnPower,
  ForeignCopyPower,
  PartsPower,
  Powers,
  PublicAccessPower,
  SigningPower,
  VersionsPower,
} from '../powers.js'
import type { StoreOperation } from './store-operation.js'

/** A call of an optional power that costs a request. */
export interface PowerCall {
  readonly operation: StoreOperation
  readonly key: string | undefined
  readonly writes: boolean
  readonly options: CallOptions
  /** What the server reads and writes by itself meanwhile: it is given the time for it. */
  readonly serverBytes?: number
}

/** What a layer does around a call. */
export type Around = <T>(call: PowerCall, run: (options: CallOptions) => Promise<T>) => Promise<T>

/** The powers with a layer around what they ask the store for. Signing asks for nothing. */
export function aroundPowers(powers: Powers, around: Around): Powers {
  const { acl, publicAccess, cdn, foreignCopy, parts, versions } = powers
  return {
    ...powers,
    ...(foreignCopy && { foreignCopy: aroundForeignCopy(foreignCopy, around) }),
    ...(acl && { acl: aroundAcl(acl, around) }),
    ...(publicAccess && { publicAccess: aroundPublicAccess(publicAccess, around) }),
    ...(cdn && { cdn: aroundCdn(cdn, around) }),
    ...(parts && { parts: aroundParts(parts, around) }),
    ...(versions && { versions: aroundVersions(versions, around) }),
  }
}

function aroundParts(power: PartsPower, around: Around): PartsPower {
  return {
    part: (key, etag, number, options = {}) =>
      around({ operation: 'partSize', key, writes: false, options }, given => power.part(key, etag, number, given)),
  }
}

function aroundForeignCopy(power: ForeignCopyPower, around: Around): ForeignCopyPower {
  return {
    nameOf: info => power.nameOf(info),
    reaches: source => power.reaches(source),
    copyFrom: (source, to, options = {}) =>
      around({ operation: 'copy', key: to, writes: true, options, serverBytes: source.info.sizeBytes }, given =>
        power.copyFrom(source, to, { ...options, ...given }),
      ),
  }
}

function aroundAcl(acl: AclPower, around: Around): AclPower {
  return {
    get: (key, options = {}) =>
      around({ operation: 'getAcl', key, writes: false, options }, given => acl.get(key, given)),
    set: (key, canned, options = {}) =>
      around({ operation: 'setAcl', key, writes: true, options }, given => acl.set(key, canned, given)),
  }
}

function aroundPublicAccess(access: PublicAccessPower, around: Around): PublicAccessPower {
  return {
    url: (keyOrPrefix, options) => access.url(keyOrPrefix, options),
    isPublic: (key, options = {}) =>
      around({ operation: 'isPublic', key, writes: false, options }, given => access.isPublic(key, given)),
  }
}

function aroundCdn(cdn: CdnPower, around: Around): CdnPower {
  const read = { operation: 'getCdn', key: undefined, writes: false } as const
  return {
    base: (options = {}) => around({ ...read, options }, given => cdn.base(given)),
    url: (keyOrPrefix, options = {}) => around({ ...read, options }, given => cdn.url(keyOrPrefix, given)),
    setBase: (url, options = {}) =>
      around({ operation: 'setCdn', key: undefined, writes: true, options }, given => cdn.setBase(url, given)),
  }
}

function aroundVersions(power: VersionsPower, around: Around): VersionsPower {
  return {
    removeSome: (prefix, options = {}) =>
      around({ operation: 'removeVersions', key: undefined, writes: true, options }, given =>
        power.removeSome(prefix, given),
      ),
  }
}

/** The powers over the keys that begin with a prefix. The bucket's own ACL and CDN are those of all its keys. */
export function prefixPowers(powers: Powers, prefix: string): Powers {
  const { acl, publicAccess, cdn, signing, foreignCopy, parts, versions } = powers
  const full = (key: string | undefined) => (key === undefined ? undefined : prefix + key)
  return {
    ...(foreignCopy && {
      foreignCopy: {
        nameOf: info => foreignCopy.nameOf({ ...info, key: prefix + info.key }),
        reaches: source => foreignCopy.reaches(source),
        copyFrom: (source, to, options) => foreignCopy.copyFrom(source, prefix + to, options),
      },
    }),
    ...(acl && {
      acl: { get: (key, options) => acl.get(full(key), options), set: (key, ...rest) => acl.set(full(key), ...rest) },
    }),
    ...(publicAccess && {
      publicAccess: {
        url: (keyOrPrefix, options) => publicAccess.url(prefix + keyOrPrefix, options),
        isPublic: (key, options) => publicAccess.isPublic(prefix + key, options),
      },
    }),
    ...(cdn && {
      cdn: {
        base: options => cdn.base(options),
        setBase: (url, options) => cdn.setBase(url, options),
        url: (keyOrPrefix, options) => cdn.url(prefix + keyOrPrefix, options),
      },
    }),
    ...(versions && { versions: { removeSome: (below, options) => versions.removeSome(prefix + below, options) } }),
    ...(parts && { parts: { part: (key, ...rest) => parts.part(prefix + key, ...rest) } }),
    ...(signing && {
      signing: {
        maxExpiresMs: signing.maxExpiresMs,
        signUrl: (key, options) => signing.signUrl(prefix + key, options),
        signForm: (key, options) => signing.signForm(prefix + key, options),
      },
    }),
  }
}

/** Nothing that changes the store, and no permission for others to do so. */
export function readOnlyPowers(powers: Powers, refuse: (operation: string, key?: string) => Promise<never>): Powers {
  const { signing } = powers
  const guarded = aroundPowers(powers, (call, run) =>
    call.writes ? refuse(call.operation, call.key) : run(call.options),
  )
  return signing === undefined ? guarded : { ...guarded, signing: readOnlySigning(signing, refuse) }
}

function readOnlySigning(
  signing: SigningPower,
  refuse: (operation: string, key?: string) => Promise<never>,
): SigningPower {
  return {
    maxExpiresMs: signing.maxExpiresMs,
    signUrl: (key, options) =>
      options.method === 'GET' || options.method === 'HEAD' ? signing.signUrl(key, options) : refuse('signUrl', key),
    signForm: key => refuse('signForm', key),
  }
}
