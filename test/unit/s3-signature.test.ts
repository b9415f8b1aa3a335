import { describe, expect, it } from 'vitest'
import type { BucketPlace } from '../../src/backend/s3/bucket-place.js'
import { requestHead } from '../../src/backend/s3/request-head.js'
import { percentEncode, percentEncodePath } from '../../src/backend/signing/percent-encoding.js'
import { Signer, signingTime } from '../../src/backend/signing/signature.js'

/** The examples of the Amazon S3 API Reference, "Signature Calculations for the Authorization Header". */

const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const TIME = '20130524T000000Z'
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const HOST = ['host', 'examplebucket.s3.amazonaws.com'] as const
const SCOPE = { region: 'us-east-1', service: 's3' }

function signatureOf(method: string, path: string, query: string, hash: string, fields: [string, string][]): string {
  const all = [HOST, ...fields, ['x-amz-content-sha256', hash], ['x-amz-date', TIME]] as [string, string][]
  const ordered = all.sort(([a], [b]) => (a < b ? -1 : 1))
  const signer = new Signer(SCOPE)
  return signer.authorize({ method, path, query, fields: ordered, payloadHash: hash }, CREDENTIALS, TIME)
}

describe('signatures', () => {
  it('are those of the examples of AWS', () => {
    expect(signatureOf('GET', '/test.txt', '', EMPTY, [['range', 'bytes=0-9']])).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
        'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,' +
        'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    )
    const put = signatureOf(
      'PUT',
      percentEncodePath('/test$file.text'),
      '',
      '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      [
        ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
        ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ],
    )
    expect(put).toMatch(/Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd$/)
    expect(signatureOf('GET', '/', 'lifecycle=', EMPTY, [])).toMatch(
      /Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543$/,
    )
    expect(signatureOf('GET', '/', 'max-keys=2&prefix=J', EMPTY, [])).toMatch(
      /Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7$/,
    )
  })
})

describe('the head of a request', () => {
  const place: BucketPlace = {
    origin: { isSecure: false, host: 'h', port: 80 },
    hostField: 'h',
    path: '/bucket',
    scope: SCOPE,
  }
  const payload = { hash: EMPTY, fields: {} }
  const signing = { signer: new Signer(SCOPE), credentials: { ...CREDENTIALS, sessionToken: 'token' } }
  const wire = { method: 'PUT', key: 'a//b/../ü %', fields: { range: 'bytes=0-1', 'x-amz-acl': 'private' } } as const

  it('has the path as it is, percent-encoded, and what must be signed is signed', () => {
    const head = requestHead({ ...wire, query: { b: '1 2', a: '' } }, payload, place, TIME, signing)
    expect(head).toMatch(/^PUT \/bucket\/a\/\/b\/\.\.\/%C3%BC%20%25\?a=&b=1%202 HTTP\/1\.1\r\nhost: h\r\n/)
    expect(head).toMatch(
      /SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-security-token,Signature=[0-9a-f]{64}\r\n/,
    )
    expect(head).toMatch(/\r\nrange: bytes=0-1\r\n.*\r\nx-amz-security-token: token\r\n.*\r\n\r\n$/s)
  })

  it('names the bucket itself, and is not signed for those who are nobody', () => {
    expect(requestHead({ method: 'GET' }, payload, place, TIME, undefined)).toMatch(/^GET \/bucket HTTP/)
    expect(requestHead({ method: 'GET' }, payload, { ...place, path: '' }, TIME, undefined)).toMatch(/^GET \/ HTTP/)
    expect(requestHead(wire, payload, place, TIME, undefined)).not.toMatch(/authorization|x-amz-date/)
  })

  it.each(['a\r\nb: c', 'a\nb', '\0', 'ü'])('does not carry %j', value => {
    const request = { ...wire, fields: { 'content-disposition': value } }
    expect(() => requestHead(request, payload, place, TIME, undefined)).toThrow(
      expect.objectContaining({ kind: 'invalid' }),
    )
    const named = { ...wire, fields: { [`x-amz-meta-${value}`]: 'x' } }
    expect(() => requestHead(named, payload, place, TIME, undefined)).toThrow(
      expect.objectContaining({ kind: 'invalid' }),
    )
  })

  it('tells both encodings of a body that is chunked on top of its own', () => {
    const chunked = { hash: EMPTY, fields: { 'content-encoding': 'aws-chunked' } }
    const gzip = { ...wire, fields: { 'content-encoding': 'gzip' } }
    expect(requestHead(gzip, chunked, place, TIME, undefined)).toMatch(/content-encoding: aws-chunked,gzip\r\n/)
    expect(requestHead(gzip, payload, place, TIME, undefined)).toMatch(/content-encoding: gzip\r\n/)
  })

  it('tells the time to the second', () => {
    expect(signingTime(Date.UTC(2013, 4, 24))).toBe(TIME)
    expect(signingTime(Date.UTC(2013, 4, 24, 23, 59, 59, 999))).toBe('20130524T235959Z')
  })
})

it('percent-encodes every byte but the unreserved ones', () => {
  expect(percentEncode("a/b c!'()*~-_.é😀")).toBe('a%2Fb%20c%21%27%28%29%2A~-_.%C3%A9%F0%9F%98%80')
  expect(percentEncodePath('a//b+c=d&e')).toBe('a//b%2Bc%3Dd%26e')
})
