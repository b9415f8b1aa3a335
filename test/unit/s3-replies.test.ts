import { describe, expect, it } from 'vitest'
import { fillSink } from '../../src/backend/fill-sink.js'
import { Collector } from '../../src/backend/s3/collector.js'
import { type ProviderError, readError, toStoreError } from '../../src/backend/s3/errors.js'
import { decodeName, readListing } from '../../src/backend/s3/list-reply.js'
import { bareEtag, readChecksums, readExtent, readInfo } from '../../src/backend/s3/replies.js'
import { copySource } from '../../src/backend/s3/request-context.js'
import { readGrants } from '../../src/backend/s3/trait-requests.js'
import { StoreError, type StoreErrorKind } from '../../src/backend/store-error.js'
import { fromWireMetadata, toWireMetadata } from '../../src/backend/wire-metadata.js'

const READ = { operation: 'get', key: 'k', reads: true }
const WRITE = { operation: 'put', key: 'k', writes: true }
const CONDITIONAL = { ...WRITE, conditional: true }

/** An error as the SDK throws it. */
function reply(status: number, name: string, headers: Record<string, string> = {}): unknown {
  return Object.assign(new Error('told'), { name, $metadata: { httpStatusCode: status }, $response: { headers } })
}

function socketError(code: string, syscall = 'connect'): unknown {
  return Object.assign(new Error('socket'), { code, syscall })
}

describe('errors of the provider', () => {
  it.each<[string, unknown, object, StoreErrorKind, boolean]>([
    ['a missing key, read', reply(404, 'NoSuchKey'), READ, 'not-found', false],
    ['a plain 404, read', reply(404, 'NotFound'), READ, 'not-found', false],
    ['a missing key, written under a condition', reply(404, 'NoSuchKey'), CONDITIONAL, 'precondition-failed', false],
    ['a missing key, written without', reply(404, 'NoSuchKey'), WRITE, 'unavailable', true],
    ['a missing bucket', reply(404, 'NoSuchBucket'), READ, 'unavailable', false],
    ['a missing upload', reply(404, 'NoSuchUpload'), WRITE, 'no-such-upload', false],
    ['a failed condition', reply(412, 'PreconditionFailed'), CONDITIONAL, 'precondition-failed', false],
    ['a HEAD with a failed condition', reply(412, '412'), READ, 'precondition-failed', false],
    ['a HEAD that is not allowed', reply(403, '403'), READ, 'denied', false],
    ['a throttled write', reply(503, 'SlowDown'), WRITE, 'throttled', false],
    ['a write that broke inside', reply(500, 'InternalError'), WRITE, 'unavailable', true],
    ['a read that broke inside', reply(500, 'InternalError'), READ, 'unavailable', false],
    ['a write whose connection broke', socketError('ECONNRESET'), WRITE, 'unavailable', true],
    ['a read whose connection broke', socketError('ECONNRESET'), READ, 'unavailable', false],
    ['a write that nobody took', socketError('ECONNREFUSED'), WRITE, 'unavailable', false],
    ['a write whose way was lost', socketError('EHOSTUNREACH', 'read'), WRITE, 'unavailable', true],
    ['a write that found no way', socketError('EHOSTUNREACH', 'connect'), WRITE, 'unavailable', false],
    ['a write without a network', socketError('ENETDOWN'), WRITE, 'unavailable', false],
    ['a name that does not resolve', socketError('ENOTFOUND'), WRITE, 'unavailable', false],
    ['credentials that are not there', reply(0, 'CredentialsProviderError'), READ, 'denied', false],
    ['what the server has not got', reply(501, 'NotImplemented'), WRITE, 'unsupported', false],
    ['what nobody knows', new Error('?'), READ, 'unavailable', false],
  ])('%s', (_, error, attempt, kind, ambiguous) => {
    expect(toStoreError(error, attempt as typeof READ)).toMatchObject({ kind, ambiguous, key: 'k' })
  })

  it('does not retry what can not get better', () => {
    expect(toStoreError(reply(404, 'NoSuchBucket'), READ).retryable).toBe(false)
    expect(toStoreError(new Error('?'), READ).retryable).toBe(false)
    for (const code of ['ENETDOWN', 'EHOSTDOWN', 'ENETRESET', 'ECONNABORTED'])
      expect(toStoreError(socketError(code), READ).retryable, code).toBe(true)
    expect(toStoreError(reply(500, 'InternalError'), READ).retryable).toBe(true)
    expect(toStoreError(reply(403, 'RequestTimeTooSkewed'), READ)).toMatchObject({ kind: 'denied', retryable: true })
  })

  it('names the right region, and the time to wait', () => {
    const redirect = toStoreError(reply(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-west-1' }), READ)
    expect(redirect).toMatchObject({ kind: 'invalid' })
    expect(redirect.message).toMatch(/--region eu-west-1/)
    expect(toStoreError(reply(503, 'SlowDown', { 'retry-after': '2' }), READ).retryAfterMs).toBe(2000)
  })

  it('keeps a StoreError, puts the caller first who gave up, and drops the response with its socket', () => {
    const mine = new StoreError('corrupt', 'mine')
    expect(toStoreError(mine, READ)).toBe(mine)
    const signal = AbortSignal.abort(new Error('no longer wanted'))
    const given = toStoreError(socketError('ECONNRESET'), { ...WRITE, signal })
    expect(given).toMatchObject({ kind: 'aborted', ambiguous: true })
    expect(given.cause).toBe(signal.reason)
    expect(toStoreError(reply(500, 'InternalError'), READ).cause).not.toHaveProperty('$response')
  })

  it('finds the code wherever it stands', () => {
    const code = (error: unknown) => readError(error).code satisfies ProviderError['code']
    expect(code({ Code: 'FromXml', name: 'Other' })).toBe('FromXml')
    expect(code(Object.assign(new Error('x', { cause: socketError('EPIPE') })))).toBe('EPIPE')
    expect(code(new Error('x'))).toBe('')
    expect(code(undefined)).toBe('')
  })
})

describe('what a GET gives', () => {
  const extent = (
    status: number,
    contentRange: string | undefined,
    length: number | undefined,
    offset = 10,
    bytes = 20,
  ) => readExtent({ offset, lengthBytes: bytes }, status, contentRange, length, READ)

  it('takes the range that was asked for, cut at the end', () => {
    expect(extent(206, 'bytes 10-29/100', 20)).toStrictEqual({ objectBytes: 100, bodyBytes: 20 })
    expect(extent(206, 'bytes 10-14/15', 5)).toStrictEqual({ objectBytes: 15, bodyBytes: 5 })
    expect(readExtent(undefined, 200, undefined, 7, READ)).toStrictEqual({ objectBytes: 7, bodyBytes: 7 })
    expect(extent(206, 'bytes 10-29/100', undefined)).toStrictEqual({ objectBytes: 100, bodyBytes: 20 })
    expect(extent(200, undefined, 20, 0, 20)).toStrictEqual({ objectBytes: 20, bodyBytes: 20 })
  })

  it.each([
    [206, 'bytes 11-29/100', 19],
    [206, 'bytes 10-28/100', 19],
    [206, 'bytes 10-29/100', 19],
    [206, 'bytes 10-30/100', 21],
    [206, 'bytes */100', 20],
    [206, undefined, 20],
    [200, undefined, 100],
    [200, undefined, 20],
  ])('refuses %i %s with %s bytes', (status, contentRange, length) => {
    expect(() => extent(status, contentRange, length)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })
})

describe('what HEAD and an ACL give', () => {
  const usual = { etag: '"e"', 'last-modified': 'Thu, 01 Jan 1970 00:00:00 GMT' }

  it('takes encryption, tags and version where they are told', () => {
    const reply = {
      ...usual,
      'x-amz-version-id': 'v1',
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'k',
      'x-amz-tagging-count': '2',
    }
    expect(readInfo('key', 1, reply, READ)).toMatchObject({
      versionId: 'v1',
      encryption: { algorithm: 'aws:kms', keyId: 'k' },
      tagCount: 2,
    })
    const plain = readInfo('key', 1, { ...usual, 'x-amz-version-id': 'null' }, READ)
    expect(plain.versionId).toBeUndefined()
    expect(plain).not.toHaveProperty('encryption')
    expect(plain).not.toHaveProperty('tagCount')
  })

  it('takes the checksums that there are', () => {
    const reply = { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-sha256': 'x-3' }
    expect(readChecksums(reply)).toStrictEqual({ crc32: 'AAAAAA==', sha256: 'x-3' })
    expect(readChecksums({})).toBeUndefined()
  })

  it('tells grants as headers have them, and none when the owner is alone', () => {
    const owner = { Grantee: { Type: 'CanonicalUser', ID: 'me' }, Permission: 'FULL_CONTROL' } as const
    const group = { Type: 'Group', URI: 'http://all' } as const
    expect(readGrants([owner], 'me')).toStrictEqual({})
    expect(readGrants([owner], 'another')).toStrictEqual({ fullControl: ['id="me"'] })
    expect(
      readGrants([owner, { Grantee: group, Permission: 'READ' }, { Grantee: group, Permission: 'WRITE' }], 'me'),
    ).toStrictEqual({ fullControl: ['id="me"'], read: ['uri="http://all"'] })
  })
})

describe('names and values on the wire', () => {
  it('takes ETags without quotes and weakness', () => {
    expect(['"a"', 'a', 'W/"a"', undefined, '""'].map(bareEtag)).toStrictEqual(['a', 'a', 'a', '', ''])
  })

  it('brings every metadata value back', () => {
    const metadata = {
      plain: 'a b',
      empty: '',
      unicode: 'Größe 漢字 😀',
      space: ' x ',
      control: 'a\nb',
      word: '=?UTF-8?B?eA==?=',
    }
    const wire = toWireMetadata(metadata)
    for (const value of Object.values(wire)) expect(value).toMatch(/^[\x20-\x7e]*$/)
    expect(wire.plain).toBe('a b')
    expect(fromWireMetadata(wire)).toStrictEqual(metadata)
    expect(fromWireMetadata({ q: '=?UTF-8?Q?Gr=C3=B6=C3=9Fe_1?=' })).toStrictEqual({ q: 'Größe 1' })
  })

  it('decodes names that are form-encoded or percent-encoded', () => {
    expect(decodeName('a+b%2Bc%20%F0%9F%98%80', READ)).toBe('a b+c 😀')
    expect(() => decodeName('%ff', READ)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })

  it('encodes every byte of a copy source but the unreserved ones and slashes', () => {
    expect(copySource('b', "a/ü +%!'()*~")).toBe('b/a/%C3%BC%20%2B%25%21%27%28%29%2A~')
  })

  it('drops what is behind its bound, many bytes at a time', () => {
    const body = new Collector(10, undefined)
    fillSink(body, Buffer.from('0123456789'))
    expect(body.isCut).toBe(false)
    expect(body.free().byteLength).toBeGreaterThan(1000)
    fillSink(body, Buffer.alloc(100_000))
    expect(body.isCut).toBe(true)
    expect(body.text()).toBe('0123456789')
  })

  it('refuses a page that is cut off without a next one', () => {
    const page = '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>'
    expect(() => readListing(page, undefined, READ)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })
})
