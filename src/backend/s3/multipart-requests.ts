import { bodySizeBytes } from '../body.js'
import type { Signal } from '../call-signal.js'
import type { Body, CompletedPart, CopyPartSource, PendingUpload, WriteResult } from '../object-store.js'
import { isStoreError } from '../store-error.js'
import { type Attempt, corruptReply } from './errors.js'
import { decodeName } from './list-reply.js'
import { bareEtag, readEtag, readTime, readWrite } from './replies.js'
import { copySource, type RequestContext } from './request-context.js'
import type { Fields } from './request-head.js'
import { conditionFields, isConditional, rangeField, readElement, readLeaves, type WireConditions } from './requests.js'
import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, ListPartsCommand } from './sdk.js'
import { carriedBy } from './wire-fields.js'
import { escapeXml } from './xml.js'

/** One upload: where it goes and the id that the server gave it. */
export interface UploadName {
  readonly key: string
  readonly uploadId: string
}

/** Parts that carry a CRC32 need an upload that is told of it; its sum is of the bytes, not of the parts' sums. */
const SUMMED: Fields = { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' }

/** The requests about multipart uploads, as ObjectRequests has those about objects. */
export class MultipartRequests {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async create(key: string, given: Fields, signal?: Signal): Promise<string> {
    const { channel, shared } = this.#context
    const carries = () => carriedBy({ ...shared.creation, ...given })
    const attempt: Attempt = { operation: 'createUpload', key, writes: true, carries, signal }
    const fields = {
      ...(channel.payloads.isSummed && SUMMED),
      ...shared.creation,
      ...given,
      ...shared.payer,
      ...shared.customerKey,
    }
    const wire = { method: 'POST', key, query: { uploads: '' }, fields } as const
    const { text } = await channel.send(wire, attempt, { text: '' })
    const { UploadId } = readLeaves(text, attempt)
    if (!UploadId) throw corruptReply('no upload id', attempt)
    return UploadId
  }

  async part(upload: UploadName, number: number, body: Body, signal?: Signal): Promise<CompletedPart> {
    const attempt: Attempt = { operation: 'part', key: upload.key, writes: true, inUpload: true, signal }
    const { channel, shared } = this.#context
    const fields = { ...shared.payer, ...shared.customerKey }
    const reply = await channel.send({ method: 'PUT', ...partOf(upload, number), fields }, attempt, { body })
    return { number, etag: readEtag(reply.fields.etag, attempt), sizeBytes: bodySizeBytes(body) }
  }

  async copyPart(
    upload: UploadName,
    number: number,
    source: CopyPartSource,
    signal?: Signal,
    sourceBucket: string = this.#context.bucket,
  ): Promise<CompletedPart> {
    const attempt: Attempt = { operation: 'copyPart', key: upload.key, writes: true, reads: true, signal }
    const { channel, shared } = this.#context
    const { key, range, sourceIfMatch } = source
    const fields = {
      'x-amz-copy-source': copySource(sourceBucket, key),
      'x-amz-copy-source-range': rangeField(range),
      'x-amz-copy-source-if-match': sourceIfMatch === undefined ? undefined : `"${sourceIfMatch}"`,
      ...shared.payer,
      ...shared.customerKey,
      ...shared.sourceCustomerKey,
    }
    const wire = { method: 'PUT', ...partOf(upload, number), fields } as const
    const { text } = await channel.send(wire, attempt, { text: '', isPatient: true })
    return { number, etag: readEtag(readLeaves(text, attempt).ETag, attempt), sizeBytes: range.lengthBytes }
  }

  /** The ETag is empty where the server says that the upload is complete and no more. */
  async complete(
    upload: UploadName,
    parts: readonly CompletedPart[],
    conditions: WireConditions,
    signal?: Signal,
  ): Promise<WriteResult> {
    const conditional = isConditional(conditions)
    const { key, uploadId } = upload
    const attempt: Attempt = { operation: 'complete', key, writes: true, conditional, inUpload: true, signal }
    const { channel, shared } = this.#context
    const fields = {
      'content-type': 'application/xml',
      ...conditionFields(conditions),
      ...shared.payer,
      ...shared.customerKey,
    }
    const wire = { method: 'POST', key, query: { uploadId }, fields } as const
    const reply = await channel.send(wire, attempt, { text: writeParts(parts), isPatient: true })
    const { root, leaves } = readElement(reply.text, attempt)
    const { ETag } = leaves
    if (bareEtag(ETag) === '' && root !== 'CompleteMultipartUploadResult')
      throw corruptReply('nothing is said of the object', attempt)
    return bareEtag(ETag) === '' ? { etag: '' } : readWrite(reply.fields, attempt, ETag)
  }

  async abort(upload: UploadName, signal?: Signal): Promise<void> {
    const attempt: Attempt = { operation: 'abort', key: upload.key, writes: true, inUpload: true, signal }
    const command = new AbortMultipartUploadCommand({ ...this.#named(upload), ...this.#context.payer })
    try {
      await this.#context.send(command, attempt)
    } catch (error) {
      if (!isStoreError(error, 'no-such-upload')) throw error
    }
  }

  /** Asks for plain names: Ceph RGW 16 sends encoded ones without saying so when asked for these. */
  async list(prefix: string | undefined, signal?: Signal): Promise<readonly PendingUpload[]> {
    const attempt: Attempt = { operation: 'listUploads', signal }
    const { bucket, payer } = this.#context
    const uploads: PendingUpload[] = []
    let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {}
    while (marker !== undefined) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket: bucket,
        Prefix: prefix,
        ...marker,
        ...payer,
      })
      const reply = await this.#context.send(command, attempt)
      const decode = (name: string) => (reply.EncodingType === 'url' ? decodeName(name, attempt) : name)
      for (const { Key, UploadId, Initiated } of reply.Uploads ?? []) {
        if (!Key || !UploadId) throw corruptReply('an upload without key or id', attempt)
        uploads.push({ key: decode(Key), uploadId: UploadId, startedMs: startOf(Initiated, attempt) })
      }
      marker = reply.IsTruncated
        ? { KeyMarker: decode(reply.NextKeyMarker ?? ''), UploadIdMarker: reply.NextUploadIdMarker ?? '' }
        : undefined
    }
    return uploads
  }

  async listParts(upload: UploadName, signal?: Signal): Promise<readonly CompletedPart[]> {
    const attempt: Attempt = { operation: 'listParts', key: upload.key, inUpload: true, signal }
    const { payer, customerKey } = this.#context
    const parts: CompletedPart[] = []
    let marker: string | undefined
    do {
      const command: ListPartsCommand = new ListPartsCommand({
        ...this.#named(upload),
        PartNumberMarker: marker,
        ...payer,
        ...customerKey,
      })
      const reply = await this.#context.send(command, attempt)
      for (const { PartNumber, ETag, Size } of reply.Parts ?? []) {
        if (PartNumber === undefined || Size === undefined) throw corruptReply('a part without number or size', attempt)
        parts.push({ number: PartNumber, etag: readEtag(ETag, attempt), sizeBytes: Size })
      }
      marker = reply.IsTruncated ? reply.NextPartNumberMarker : undefined
    } while (marker !== undefined)
    return parts
  }

  #named({ key, uploadId }: UploadName) {
    return { Bucket: this.#context.bucket, Key: key, UploadId: uploadId }
  }
}

function partOf({ key, uploadId }: UploadName, number: number) {
  return { key, query: { partNumber: String(number), uploadId } }
}

function writeParts(parts: readonly CompletedPart[]): string {
  const list = parts
    .toSorted((a, b) => a.number - b.number)
    .map(({ number, etag }) => `<Part><ETag>${escapeXml(`"${etag}"`)}</ETag><PartNumber>${number}</PartNumber></Part>`)
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join('')}</CompleteMultipartUpload>`
}

function startOf(time: Date | undefined, attempt: Attempt): number {
  return readTime(time?.toISOString(), attempt)
}
