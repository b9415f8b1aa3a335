import { Readable } from 'node:stream'
import { ListObjectsV2Command, type ListObjectsV2Output, S3Client } from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareKeys } from '../../src/backend/keys.js'
import type { ListPage } from '../../src/backend/object-store.js'
import { readDeleteResult, writeDeleteRequest } from '../../src/backend/s3/delete-reply.js'
import { decodeName, readListing } from '../../src/backend/s3/list-reply.js'
import { ReplyError } from '../../src/backend/s3/reply-error.js'
import { escapeXml, readFlat, XmlError, XmlReader } from '../../src/backend/s3/xml.js'

const ATTEMPT = { operation: 'list' }

/** What the parser of the SDK makes of a reply. */
async function bySdk(xml: string): Promise<ListObjectsV2Output> {
  const response = { statusCode: 200, headers: { 'content-type': 'application/xml' }, body: Readable.from([xml]) }
  const client = new S3Client({
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    requestHandler: { handle: async () => ({ response }) },
  })
  return client.send(new ListObjectsV2Command({ Bucket: 'b' }))
}

function pageOf(reply: ListObjectsV2Output): ListPage {
  const decode = (name = '') => (reply.EncodingType === 'url' ? decodeName(name, ATTEMPT) : name)
  const objects = (reply.Contents ?? []).map(object => ({
    key: decode(object.Key),
    sizeBytes: object.Size ?? -1,
    etag: (object.ETag ?? '').replaceAll('"', ''),
    lastModifiedMs: object.LastModified?.getTime() ?? -1,
    storageClass: object.StorageClass,
  }))
  return {
    objects: objects.sort((a, b) => compareKeys(a.key, b.key)),
    prefixes: (reply.CommonPrefixes ?? []).map(({ Prefix }) => decode(Prefix)).sort(compareKeys),
    ...(reply.IsTruncated === true && { next: reply.NextContinuationToken ?? '' }),
  }
}

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(key => key.isWellFormed())
const listed = fc.record({
  key: name,
  sizeBytes: fc.nat(Number.MAX_SAFE_INTEGER),
  etag: fc.stringMatching(/^[0-9a-f]{1,35}$/),
  lastModifiedMs: fc.integer({ min: 0, max: 4e12 }),
  storageClass: fc.option(fc.constantFrom('STANDARD', 'GLACIER'), { nil: undefined }),
})
const page = fc.record({
  objects: fc.uniqueArray(listed, { selector: ({ key }) => key, maxLength: 8 }),
  prefixes: fc.uniqueArray(
    name.map(text => `${text}/`),
    { maxLength: 4 },
  ),
  isEncoded: fc.boolean(),
  next: fc.option(fc.base64String({ minLength: 4 }), { nil: undefined }),
  owner: fc.option(name, { nil: undefined }),
})
type Page = typeof page extends fc.Arbitrary<infer T> ? T : never

/** As servers write it; every other one with line ends and in another order. */
function xmlOf({ objects, prefixes, isEncoded, next, owner }: Page): string {
  const write = (text: string) => escapeXml(isEncoded ? encodeURIComponent(text).replaceAll('%20', '+') : text)
  const contents = objects.map(
    ({ key, sizeBytes, etag, lastModifiedMs, storageClass }) =>
      `<Contents><Key>${write(key)}</Key><LastModified>${new Date(lastModifiedMs).toISOString()}</LastModified>` +
      `<ETag>&quot;${etag}&quot;</ETag><Size>${sizeBytes}</Size>` +
      (owner === undefined ? '' : `<Owner><ID>${escapeXml(owner)}</ID><Key>not this</Key></Owner>`) +
      `${storageClass === undefined ? '' : `<StorageClass>${storageClass}</StorageClass>`}</Contents>`,
  )
  const common = prefixes.map(prefix => `<CommonPrefixes><Prefix>${write(prefix)}</Prefix></CommonPrefixes>\n`)
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\n' +
    `<Name>b</Name><Prefix/>${common.join('')}<MaxKeys>1000</MaxKeys><IsTruncated>${next !== undefined}</IsTruncated>` +
    (next === undefined ? '' : `<NextContinuationToken>${escapeXml(next)}</NextContinuationToken>`) +
    `${contents.join('\n')}${isEncoded ? '<EncodingType>url</EncodingType>' : ''}</ListBucketResult>`
  )
}

describe('listings', () => {
  it('are those that the SDK reads', async () => {
    await fc.assert(
      fc.asyncProperty(page, async given => {
        const xml = xmlOf(given)
        expect(readListing(xml, undefined, ATTEMPT)).toStrictEqual(pageOf(await bySdk(xml)))
      }),
      { numRuns: 100 },
    )
  })

  it('are refused when they are cut off anywhere', () => {
    const xml = xmlOf({
      objects: [{ key: 'a', sizeBytes: 1, etag: 'e', lastModifiedMs: 0, storageClass: undefined }],
      prefixes: ['p/'],
      isEncoded: true,
      next: undefined,
      owner: 'me',
    })
    readListing(xml, undefined, ATTEMPT)
    const cut = (end: number) => () => readListing(xml.slice(0, end), undefined, ATTEMPT)
    for (let end = 0; end < xml.length; end++) expect(cut(end)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })

  it.each([
    '<html><body>Hello</body></html>',
    '<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>',
    '<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>"e"</ETag></Contents></ListBucketResult>',
    '<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>&unknown;</ETag></Contents></ListBucketResult>',
  ])('are refused when they are none: %s', xml => {
    expect(() => readListing(xml, undefined, ATTEMPT)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })
})

describe('XML', () => {
  it('is read with all that it may hold', () => {
    const { root, leaves } = readFlat(
      '<!DOCTYPE x><!-- <a> --><s3:Root xmlns:s3="u" b=">" c=\'/>\'><A>1 &lt; 2 &#x26; &#51;</A><s3:B/><C d="x/" />' +
        '<D><!-- no -->te<![CDATA[x<t>&amp;]]></D><E><F>inner</F></E><G>text<H/></G>\n<I>last</I></s3:Root>',
    )
    expect(root).toBe('Root')
    expect(leaves).toStrictEqual({ A: '1 < 2 & 3', B: '', C: '', D: 'tex<t>&amp;', I: 'last' })
  })

  it.each(['', 'text', '<a', '<a>', '<a><b></a', '<a>&nope;</a>', '<a><!-- </a>', '<a>&#x110000;</a>'])(
    'is refused when it is none: %s',
    xml => {
      const read = () => {
        const reader = new XmlReader(xml)
        reader.enter()
        reader.text()
      }
      expect(read).toThrow(XmlError)
    },
  )

  it('brings every text back that XML can carry', () => {
    const text = fc.string({ unit: 'binary' }).filter(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML excludes
      given => given.isWellFormed() && !/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(given),
    )
    fc.assert(
      fc.property(text, given => {
        expect(readFlat(`<R><T>${escapeXml(given)}</T></R>`).leaves.T).toBe(given)
      }),
    )
  })
})

describe('errors', () => {
  it('tell code, message, region and request, from XML or without', () => {
    const xml = '<Error><Code>X</Code><Message>m &amp; n</Message><Region>r</Region><Key>k</Key></Error>'
    const error = new ReplyError(400, { 'x-amz-request-id': 'id' }, xml)
    expect(error).toMatchObject({ status: 400, code: 'X', message: 'm & n', region: 'r', requestId: 'id' })
    for (const body of ['', '<html><p>Bad gateway', '{"error": 1}', '<Other><Code>X</Code></Other>'])
      expect(new ReplyError(502, {}, body)).toMatchObject({ status: 502, code: '' })
  })

  it('of single keys are told with their keys', () => {
    const keys = ['a<&>"\'\r\n\t', 'b', 'c']
    expect(writeDeleteRequest(keys)).toMatch(/<Key>a&#x3c;&#x26;&#x3e;&#x22;&#x27;&#xd;&#xa;&#x9;<\/Key>/)
    const [first = ''] = keys
    const xml =
      `<DeleteResult><Deleted><Key>b</Key></Deleted><Error><Key>${escapeXml(first)}</Key><Code>AccessDenied</Code>` +
      '<Message>no</Message></Error><Error><Key>c</Key><Code>NoSuchKey</Code></Error></DeleteResult>'
    const failures = readDeleteResult(xml, keys, { operation: 'delete', writes: true })
    expect(failures).toMatchObject([{ key: first, error: { kind: 'denied', key: first } }])
    const other = xml.replace('<Key>c', '<Key>d').replace('NoSuchKey', 'InternalError')
    const read = () => readDeleteResult(other, keys, { operation: 'delete' })
    expect(read).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })
})
