import { compareKeys } from '../keys.js'
import type { ListPage, ObjectVersion } from '../object-store.js'
import { type Attempt, corruptReply } from './errors.js'
import { readEtag, readTime } from './replies.js'
import { XmlError, XmlReader } from './xml.js'

type Decode = (name: string) => string

/** A page as the contract has it: names decoded, in key order, nothing that is not behind `startAfter`. */
export function readListing(xml: string, startAfter: string | undefined, attempt: Attempt): ListPage {
  const { objects, prefixes, isEncoded, isTruncated, next } = readResult(xml, attempt)
  const decode: Decode = isEncoded ? name => decodeName(name, attempt) : detached
  const page = {
    objects: objects.map(object => readObject(object, decode, attempt)).sort((a, b) => compareKeys(a.key, b.key)),
    prefixes: prefixes
      .map(decode)
      // S3 lists a common prefix as soon as one key below it is behind `startAfter`.
      .filter(prefix => startAfter === undefined || compareKeys(prefix, startAfter) > 0)
      .sort(compareKeys),
  }
  if (!isTruncated) return page
  if (!next) throw corruptReply('a page that is not the last names no next one', attempt)
  return { ...page, next }
}

/** An entry as it stands in the reply. */
interface ListedObject {
  key?: string | undefined
  sizeBytes?: string | undefined
  etag?: string | undefined
  lastModified?: string | undefined
  storageClass?: string | undefined
}

interface ListResult {
  readonly objects: ListedObject[]
  readonly prefixes: string[]
  isEncoded: boolean
  isTruncated: boolean
  next: string | undefined
}

function readResult(xml: string, attempt: Attempt): ListResult {
  const result: ListResult = { objects: [], prefixes: [], isEncoded: false, isTruncated: false, next: undefined }
  try {
    const reader = new XmlReader(xml)
    if (reader.enter() !== 'ListBucketResult') throw corruptReply('not a listing', attempt)
    readAlike(reader, result)
    for (let name = reader.enter(); name !== undefined; name = reader.enter()) {
      readChild(reader, name, result)
      readAlike(reader, result)
    }
  } catch (error) {
    if (error instanceof XmlError) throw corruptReply(error.message, attempt)
    throw error
  }
  return result
}

/** An entry as most stores write it, with nothing in it that has to be decoded. All others are read field by field. */
const ALIKE = new RegExp(
  [
    '\\s*<Contents><Key>([^<&]*)</Key><LastModified>([^<&]*)</LastModified><ETag>(?:"|&quot;|&#34;)([^<&"]*)(?:"|&quot;|&#34;)</ETag>',
    '(?:<Checksum\\w+>[^<]*</Checksum\\w+>)*<Size>(\\d+)</Size>(?:<StorageClass>(\\w+)</StorageClass>)?(?:<Type>Normal</Type>)?</Contents>',
  ].join(''),
  'y',
)

function readAlike(reader: XmlReader, { objects }: ListResult): void {
  for (let found = reader.match(ALIKE); found !== undefined; found = reader.match(ALIKE)) {
    const [, key, lastModified, etag, sizeBytes, storageClass] = found
    objects.push({ key, lastModified, etag, sizeBytes, storageClass })
  }
}

function readChild(reader: XmlReader, name: string, result: ListResult): void {
  switch (name) {
    case 'Contents':
      result.objects.push(readContents(reader))
      return
    case 'CommonPrefixes':
      for (let inner = reader.enter(); inner !== undefined; inner = reader.enter())
        if (inner === 'Prefix') result.prefixes.push(reader.text() ?? '')
        else reader.leave()
      return
    case 'EncodingType':
      result.isEncoded = reader.text() === 'url'
      return
    case 'IsTruncated':
      result.isTruncated = reader.text() === 'true'
      return
    case 'NextContinuationToken':
      result.next = reader.text()
      return
    default:
      reader.leave()
  }
}

function readContents(reader: XmlReader): ListedObject {
  const object: ListedObject = {}
  for (let name = reader.enter(); name !== undefined; name = reader.enter())
    switch (name) {
      case 'Key':
        object.key = reader.text()
        break
      case 'Size':
        object.sizeBytes = reader.text()
        break
      case 'ETag':
        object.etag = reader.text()
        break
      case 'LastModified':
        object.lastModified = reader.text()
        break
      case 'StorageClass':
        object.storageClass = reader.text()
        break
      default:
        reader.leave()
    }
  return object
}

function readObject(object: ListedObject, decode: Decode, attempt: Attempt): ObjectVersion {
  const sizeBytes = Number(object.sizeBytes)
  if (object.key === undefined || !object.sizeBytes || !Number.isSafeInteger(sizeBytes))
    throw corruptReply('an object without name or size', attempt)
  return {
    key: decode(object.key),
    sizeBytes,
    etag: detached(readEtag(object.etag, attempt)),
    lastModifiedMs: readTime(object.lastModified, attempt),
    storageClass: object.storageClass && detached(object.storageClass),
  }
}

/** Shorter parts of a string are copies. */
const MIN_SHARED_LENGTH = 13

/** A string of its own: a part of the reply that is kept would keep all of the reply in memory. */
function detached(text: string): string {
  return text.length < MIN_SHARED_LENGTH ? text : Buffer.from(text).toString()
}

/** encoding-type=url: percent-encoding, with `+` for a space (some servers write %20). */
export function decodeName(name: string, attempt: Attempt): string {
  try {
    return decodeURIComponent(name.includes('+') ? name.replaceAll('+', ' ') : name)
  } catch (error) {
    throw corruptReply(`a name that is not percent-encoded UTF-8: ${name} (${String(error)})`, attempt)
  }
}
