import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromWireMetadata, toWireMetadata } from '../../src/backend/wire-metadata.js'
import { decodeValue, encodeValue, metadataBytes, metadataNameOf, xattrNameOf } from '../../src/fs/xattr-names.js'

const RUNS = { numRuns: 3000 }
const hex = (text: string) => Buffer.from(text).toString('hex')

const bit = fc.constantFrom('a', 'z', '0', '9', '-', '_', '.', 'A', 'é', 'xattr-', '6d', '5f', 'mode', 'bucket.', ' ')
const text = fc.oneof(
  fc.array(bit, { minLength: 1, maxLength: 6 }).map(parts => parts.join('')),
  fc.array(bit, { minLength: 1, maxLength: 6 }).map(parts => `xattr-${hex(parts.join(''))}`),
  fc.constantFrom('mode', 'uid', 'gid', 'mtime', 'atime', 'ctime', 'rdev', `xattr-${hex(`xattr-${hex('a_b')}`)}`),
)
const name = fc
  .oneof(
    text.map(one => Buffer.from(one)),
    fc.uint8Array({ minLength: 1, maxLength: 250 }).map(one => Buffer.from(one).map(byte => byte || 1)),
  )
  .map(one => Buffer.from(one.subarray(0, 250)))
const lowerText = text.map(one => one.toLowerCase())
const metadata = fc.dictionary(lowerText, fc.constant(''))

const isReserved = (one: Buffer) => /^(mode|uid|gid|rdev|[mac]time|bucket\..*)$/s.test(one.toString('latin1'))

describe('names of attributes', () => {
  it('lead to metadata and back, except the reserved ones', () => {
    fc.assert(
      fc.property(name, metadata, (one, others) => {
        const kept = metadataNameOf(one, others)
        if (isReserved(one)) expect(kept).toBeUndefined()
        else expect(xattrNameOf(kept ?? '')).toEqual(one)
      }),
      RUNS,
    )
  })

  it('are kept under names that every store keeps, unless others chose the name', () => {
    fc.assert(
      fc.property(name, one => {
        const kept = metadataNameOf(one, {})
        if (kept !== undefined) expect(kept).toMatch(/^[a-z0-9-]+$/)
      }),
      RUNS,
    )
  })

  it('lead from all metadata that others made back to it', () => {
    fc.assert(
      fc.property(metadata, others => {
        for (const one of Object.keys(others)) {
          const shown = xattrNameOf(one)
          if (shown === undefined) continue
          const addressed = metadataNameOf(shown, others) ?? ''
          // Two entries that show under one name: the one that bears it.
          expect(addressed === one || (addressed === shown.toString() && addressed in others)).toBe(true)
        }
      }),
      RUNS,
    )
  })

  it.each([
    ['author', {}, 'author'],
    ['my-key', {}, 'my-key'],
    ['my_key', {}, 'xattr-6d795f6b6579'],
    ['my_key', { my_key: '' }, 'my_key'],
    ['My_Key', { my_key: '' }, `xattr-${hex('My_Key')}`],
    ['a.b', { 'a.b': '' }, 'a.b'],
    ['toString', {}, `xattr-${hex('toString')}`],
    ['xattr-6d795f6b6579', {}, `xattr-${hex('xattr-6d795f6b6579')}`],
    ['xattr-6d795f6b6579', { 'xattr-6d795f6b6579': '' }, `xattr-${hex('xattr-6d795f6b6579')}`],
    ['xattr-61', {}, 'xattr-61'],
    ['xattr-6d6f6465', {}, 'xattr-6d6f6465'],
    ['mode', { mode: '' }, undefined],
    ['bucket.etag', {}, undefined],
    ['bucket', {}, 'bucket'],
  ])('%s beside %j is %s', (one, others, kept) => {
    expect(metadataNameOf(one, others)).toBe(kept)
  })

  it('do not show what is the file system, virtual or too long', () => {
    for (const one of ['mode', 'mtime', 'rdev', 'bucket.etag', 'x'.repeat(251)])
      expect(xattrNameOf(one)).toBeUndefined()
    expect(xattrNameOf('x'.repeat(250))).toHaveLength(250)
    expect(xattrNameOf(`xattr-${hex('x y'.padEnd(250))}`)).toHaveLength(250)
  })
})

describe('values of attributes', () => {
  const bits = fc.constantFrom(
    'base64:',
    'aGk=',
    ' ',
    '\n',
    '\0',
    '\x7f',
    '\x85',
    '=?UTF-8?B?',
    '?=',
    'é',
    '😀',
    '\ufeff',
  )
  const value = fc.oneof(
    fc.array(bits, { maxLength: 6 }).map(parts => Buffer.from(parts.join(''))),
    fc.uint8Array({ maxLength: 64 }).map(one => Buffer.from(one)),
  )

  it('come back as they were, through the headers of S3 too', () => {
    fc.assert(
      fc.property(value, one => {
        const kept = encodeValue(one)
        expect(kept).not.toMatch(/\p{Cc}/u)
        expect(decodeValue(kept)).toEqual(one)
        expect(fromWireMetadata(toWireMetadata({ name: kept }))).toEqual({ name: kept })
      }),
      RUNS,
    )
  })

  it('of others show as they are, also where they look encoded', () => {
    for (const one of ['', ' x ', 'base64:aGk=', 'base64:!', 'base64', '\n', 'base64:YmFzZTY0O'])
      expect(decodeValue(one).toString()).toBe(one)
    expect(decodeValue('base64:').toString()).toBe('')
    expect(decodeValue('base64:YmFzZTY0Og==').toString()).toBe('base64:')
  })

  it('are text where they can be', () => {
    expect(encodeValue(Buffer.from('héllo'))).toBe('héllo')
    expect(encodeValue(Buffer.from('a\n'))).toBe('base64:YQo=')
    expect(encodeValue(Buffer.alloc(0))).toBe('base64:')
    expect(encodeValue(Buffer.from([0xff]))).toBe('base64:/w==')
  })

  it('count with their names in bytes', () => {
    expect(metadataBytes({})).toBe(0)
    expect(metadataBytes({ a: 'é', bc: '' })).toBe(5)
  })
})

describe('metadata in the headers of S3', () => {
  it('comes back as it was, whatever text it is', () => {
    const bits = fc.constantFrom(
      '=?UTF-8?B?',
      '=?utf-8?q?',
      '?=',
      '=41',
      '_',
      ' ',
      '\t',
      '\r\n',
      '\0',
      'é',
      '😀',
      '\ufeff',
      'x',
    )
    const wellFormed = fc.oneof(
      fc.array(bits, { maxLength: 8 }).map(parts => parts.join('')),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(wellFormed, one => {
        const wire = toWireMetadata({ name: one })
        expect(wire.name).toMatch(/^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$/)
        expect(fromWireMetadata(wire)).toEqual({ name: one })
      }),
      RUNS,
    )
  })
})
