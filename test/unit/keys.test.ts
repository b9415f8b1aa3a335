import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkKey, compareKeys } from '../../src/backend/keys.js'
import { parseStorageUrl } from '../../src/backend/registry.js'

const sign = (n: number) => Math.sign(n)

describe('compareKeys', () => {
  it('orders as the UTF-8 bytes do', () => {
    const key = fc.string({ unit: fc.constantFrom('a', '/', '.', 'é', '\ue000', '\uffee', '\u{10000}', '\u{10ffff}') })
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('checkKey', () => {
  it('takes 1 to 1,024 bytes of well-formed Unicode', () => {
    for (const key of ['a', '\0', '/', 'é'.repeat(512), 'x'.repeat(1024)])
      expect(() => checkKey(key, 'put')).not.toThrow()
    for (const key of ['', 'x'.repeat(1025), 'é'.repeat(513), 'a\ud800', '\udc00'])
      expect(() => checkKey(key, 'put')).toThrow(expect.objectContaining({ name: 'StoreError', kind: 'invalid', key }))
  })
})

describe('parseStorageUrl', () => {
  it('takes URLs apart', () => {
    expect(parseStorageUrl('s3://bucket')).toStrictEqual({ scheme: 's3', bucket: 'bucket', prefix: '' })
    expect(parseStorageUrl('s3://bucket/')).toStrictEqual({ scheme: 's3', bucket: 'bucket', prefix: '' })
    expect(parseStorageUrl('S3://Bucket/a/b c%20')).toStrictEqual({
      scheme: 's3',
      bucket: 'Bucket',
      prefix: 'a/b c%20/',
    })
    expect(parseStorageUrl('mem://x/y/')).toStrictEqual({ scheme: 'mem', bucket: 'x', prefix: 'y/' })
    expect(parseStorageUrl('file:///a%20b/c')).toStrictEqual({ scheme: 'file', path: '/a b/c', prefix: '' })
  })

  it('says what is known when it knows not', () => {
    for (const url of [
      'http://host/x',
      's3://',
      's3:///key',
      '/a/folder',
      'bucket',
      '',
      'file://host/x',
      'file:relative',
    ])
      expect(() => parseStorageUrl(url), url).toThrow(
        expect.objectContaining({ kind: 'invalid', message: expect.stringMatching(/s3:\/\/.*file:\/\/.*mem:\/\//) }),
      )
  })
})
