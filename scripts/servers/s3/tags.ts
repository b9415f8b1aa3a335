import type { Bucket, StoredObject, Tags } from './bucket.js'
import type { Call } from './call.js'
import { type Reply, xml } from './reply.js'
import { malformedXml, noSuchKey, S3Error } from './s3-error.js'
import { bucketOf, type Service } from './service.js'
import { bodiesOf, document, textOf } from './xml.js'

const MAX_TAGS = 10
const MAX_NAME_LENGTH = 128
const MAX_VALUE_LENGTH = 256

/** Of x-amz-tagging, which has the form of a query; none without it. */
export function givenTags(call: Call): Tags {
  const pairs = [...new URLSearchParams(call.header('x-amz-tagging') ?? '')]
  return checkedTags(pairs)
}

/** Those of the source, unless the request says that it brings others. */
export function copiedTags(call: Call, source: StoredObject): Tags {
  return call.header('x-amz-tagging-directive') === 'REPLACE' ? givenTags(call) : source.tags
}

export function getTags(service: Service, call: Call): Reply {
  const { tags } = taggedObject(bucketOf(service, call.bucket), call.key)
  const Tag = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
  return xml(document('Tagging', { TagSet: { Tag } }))
}

export async function putTags(service: Service, call: Call): Promise<Reply> {
  const bucket = bucketOf(service, call.bucket)
  const { content } = await service.readBody(call)
  const body = Buffer.concat(content.pieces).toString()
  const pairs = bodiesOf(body, 'Tag').map(tag => [textOf(tag, 'Key'), textOf(tag, 'Value')] as const)
  const tags = checkedTags(
    pairs.map(([name, value]) => {
      if (name === undefined || value === undefined) throw malformedXml()
      return [name, value]
    }),
  )
  bucket.set(call.key, { ...taggedObject(bucket, call.key), tags })
  return { status: 200 }
}

export function deleteTags(service: Service, call: Call): Reply {
  const bucket = bucketOf(service, call.bucket)
  bucket.set(call.key, { ...taggedObject(bucket, call.key), tags: {} })
  return { status: 204 }
}

/** As HEAD and GET tell it: nothing where there are none. */
export function tagCountOf(tags: Tags): Record<string, string> {
  const count = Object.keys(tags).length
  return count === 0 ? {} : { 'x-amz-tagging-count': String(count) }
}

function taggedObject(bucket: Bucket, key: string): StoredObject {
  const object = bucket.get(key)
  if (object === undefined) throw noSuchKey()
  return object
}

/** Amazon S3 User Guide, "Categorizing your objects using tags". */
function checkedTags(pairs: readonly (readonly [string, string])[]): Tags {
  const tags = Object.fromEntries(pairs)
  const isBad = pairs.some(
    ([name, value]) => name === '' || name.length > MAX_NAME_LENGTH || value.length > MAX_VALUE_LENGTH,
  )
  if (isBad || Object.keys(tags).length < pairs.length)
    throw new S3Error(400, 'InvalidTag', 'The TagKey or TagValue you have provided is invalid')
  if (pairs.length > MAX_TAGS) throw new S3Error(400, 'BadRequest', 'Object tags cannot be greater than 10')
  return tags
}
