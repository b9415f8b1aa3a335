import { describe, expect, it } from 'vitest'
import { presignedQuery } from '../../src/backend/signing/presigned-url.js'
import { Signer } from '../../src/backend/signing/signature.js'
import { type Policy, signedFields } from '../../src/backend/signing/upload-form.js'

/** The examples of the Amazon S3 API Reference. */
const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const SIGNER = new Signer({ region: 'us-east-1', service: 's3' })
const GET = { method: 'GET', path: '/test.txt', host: 'examplebucket.s3.amazonaws.com', expiresMs: 86_400_000 }

describe('presigned URLs', () => {
  it('are as in the example of "Authenticating Requests: Using Query Parameters"', () => {
    expect(presignedQuery(GET, SIGNER, CREDENTIALS, '20130524T000000Z')).toBe(
      'X-Amz-Algorithm=AWS4-HMAC-SHA256' +
        '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
        '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
        '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    )
  })

  it('name what must be sent along, and a session', () => {
    const headers = { 'content-type': 'text/plain' }
    const session = { ...CREDENTIALS, sessionToken: 'a/b' }
    const query = presignedQuery({ ...GET, method: 'PUT', headers }, SIGNER, session, '20130524T000000Z')
    expect(query).toContain('&X-Amz-Security-Token=a%2Fb&X-Amz-SignedHeaders=content-type%3Bhost&')
  })

  it.each([0, -1000, 1500, 604_801_000, Number.NaN])('do not hold for %d ms', expiresMs => {
    expect(() => presignedQuery({ ...GET, expiresMs }, SIGNER, CREDENTIALS, '20130524T000000Z')).toThrow(
      expect.objectContaining({ kind: 'invalid' }),
    )
  })
})

describe('forms', () => {
  const endsInName = `up/$\{filename}`
  const clock = { nowMs: Date.UTC(2015, 11, 29), time: '20151229T000000Z' }

  it('have a policy that is signed as in the example of "Browser-Based Upload using HTTP POST"', () => {
    const lines = [
      '{ "expiration": "2015-12-30T12:00:00.000Z",',
      '  "conditions": [',
      '    {"bucket": "sigv4examplebucket"},',
      '    ["starts-with", "$key", "user/user1/"],',
      '    {"acl": "public-read"},',
      '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},',
      '    ["starts-with", "$Content-Type", "image/"],',
      '    {"x-amz-meta-uuid": "14365123651274"},',
      '    {"x-amz-server-side-encryption": "AES256"},',
      '    ["starts-with", "$x-amz-meta-tag", ""],',
      '',
      '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},',
      '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},',
      '    {"x-amz-date": "20151229T000000Z" }',
      '  ]',
      '}',
    ]
    const policy = Buffer.from(lines.join('\r\n')).toString('base64')
    expect(SIGNER.signText(policy, CREDENTIALS, clock.time)).toBe(
      '8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e',
    )
  })

  it('make each field a condition, and bound the size', () => {
    const fields = signedFields(
      { bucket: 'bucket', key: endsInName, kept: { 'x-amz-meta-colour': 'red' }, acl: 'public-read' },
      { expiresMs: 60_000, maxSizeBytes: 10, redirect: 'https://example.com/done' },
      SIGNER,
      CREDENTIALS,
      clock,
    )
    expect(fields).toMatchObject({
      key: endsInName,
      acl: 'public-read',
      'x-amz-meta-colour': 'red',
      success_action_redirect: 'https://example.com/done',
    })
    const policy = JSON.parse(Buffer.from(fields.policy ?? '', 'base64').toString()) as Policy
    expect(policy.expiration).toBe('2015-12-29T00:01:00.000Z')
    expect(policy.conditions).toStrictEqual([
      { bucket: 'bucket' },
      ['starts-with', '$key', 'up/'],
      { acl: 'public-read' },
      { success_action_redirect: 'https://example.com/done' },
      { 'x-amz-meta-colour': 'red' },
      { 'x-amz-algorithm': 'AWS4-HMAC-SHA256' },
      { 'x-amz-credential': 'AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request' },
      { 'x-amz-date': '20151229T000000Z' },
      ['starts-with', '$Content-Type', ''],
      ['content-length-range', 0, 10],
    ])
    expect(fields['x-amz-signature']).toBe(SIGNER.signText(fields.policy ?? '', CREDENTIALS, clock.time))
  })
})
