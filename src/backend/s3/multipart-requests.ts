import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { bodySizeBytes } from '../body.js'
import type { Body, CompletedPart, CopyPartSource, PendingUpload, WriteResult } from '../object-store.js'
import { isStoreError } from '../store-error.js'
import { type Attempt, corruptReply } from './errors.js'
import { decodeName } from './list-reply.js'
import { bareEtag, readEtag, readTime, readWrite } from './replies.js'
import { copySource, type RequestContext } from './request-context.js'
import { isConditional, type WireConditions } from './requests.js'
import { carriedBy, type WireAttachments, type WireTraits } from './wire-fields.js'

/** One upload: where it goes and the id that the server gave it. */
export interface UploadName {
  readonly key: string
  readonly uploadId: string
}

/** The requests about multipart uploads, as ObjectRequests has those about objects. */
export class MultipartRequests {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async create(key: string, given: WireAttachments & WireTraits, signal?: AbortSignal): Promise<string> {
    const { bucket, shared } = this.#context
    const carries = carriedBy({ ...shared.creation, ...given })
    const attempt: Attempt = { operation: 'createUpload', key, writes: true, carries, signal }
    const command = new CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ...shared.creation,
      ...given,
      ...shared.payer,
      ...shared.customerKey,
    })
    const { UploadId } = await this.#context.send(command, attempt)
    if (!UploadId) throw corruptReply('no upload id', attempt)
    return UploadId
  }

  async part(upload: UploadName, number: number, body: Body, signal?: AbortSignal): Promise<CompletedPart> {
    const attempt: Attempt = { operation: 'part', key: upload.key, writes: true, inUpload: true, signal }
    const { shared } = this.#context
    const reply = await this.#context.sendBody(
      body,
      attempt,
      outgoing =>
        new UploadPartCommand({
          ...this.#named(upload),
          PartNumber: number,
          Body: outgoing.payload,
          ContentLength: outgoing.sizeBytes,
          ...shared.payer,
          ...shared.customerKey,
        }),
    )
    return { number, etag: readEtag(reply.ETag, attempt), sizeBytes: bodySizeBytes(body) }
  }

  async copyPart(
    upload: UploadName,
    number: number,
    source: CopyPartSource,
    signal?: AbortSignal,
  ): Promise<CompletedPart> {
    const attempt: Attempt = { operation: 'copyPart', key: upload.key, writes: true, reads: true, signal }
    const { bucket, shared } = this.#context
    const { offset, lengthBytes } = source.range
    const command = new UploadPartCopyCommand({
      ...this.#named(upload),
      PartNumber: number,
      CopySource: copySource(bucket, source.key),
      CopySourceRange: `bytes=${offset}-${offset + lengthBytes - 1}`,
      ...(source.sourceIfMatch !== undefined && { CopySourceIfMatch: `"${source.sourceIfMatch}"` }),
      ...shared.payer,
      ...shared.customerKey,
      ...shared.sourceCustomerKey,
    })
    const reply = await this.#context.sendPatiently(command, attempt)
    return { number, etag: readEtag(reply.CopyPartResult?.ETag, attempt), sizeBytes: lengthBytes }
  }

  /** The ETag is empty where the server's reply has none. */
  async complete(
    upload: UploadName,
    parts: readonly CompletedPart[],
    conditions: WireConditions,
    signal?: AbortSignal,
  ): Promise<WriteResult> {
    const conditional = isConditional(conditions)
    const attempt: Attempt = {
      operation: 'complete',
      key: upload.key,
      writes: true,
      conditional,
      inUpload: true,
      signal,
    }
    const { shared } = this.#context
    const command = new CompleteMultipartUploadCommand({
      ...this.#named(upload),
      MultipartUpload: {
        Parts: parts
          .toSorted((a, b) => a.number - b.number)
          .map(({ number, etag }) => ({ PartNumber: number, ETag: `"${etag}"` })),
      },
      ...conditions,
      ...shared.payer,
      ...shared.customerKey,
    })
    const reply = await this.#context.sendPatiently(command, attempt)
    return bareEtag(reply.ETag) === '' ? { etag: '' } : readWrite(reply, attempt)
  }

  async abort(upload: UploadName, signal?: AbortSignal): Promise<void> {
    const attempt: Attempt = { operation: 'abort', key: upload.key, writes: true, inUpload: true, signal }
    const command = new AbortMultipartUploadCommand({ ...this.#named(upload), ...this.#context.shared.payer })
    try {
      await this.#context.send(command, attempt)
    } catch (error) {
      if (!isStoreError(error, 'no-such-upload')) throw error
    }
  }

  /** Asks for plain names: Ceph RGW 16 sends encoded ones without saying so when asked for these. */
  async list(prefix: string | undefined, signal?: AbortSignal): Promise<readonly PendingUpload[]> {
    const attempt: Attempt = { operation: 'listUploads', signal }
    const { bucket, shared } = this.#context
    const uploads: PendingUpload[] = []
    let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {}
    while (marker !== undefined) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket: bucket,
        Prefix: prefix,
        ...marker,
        ...shared.payer,
      })
      const reply = await this.#context.send(command, attempt)
      const decode = (name: string) => (reply.EncodingType === 'url' ? decodeName(name, attempt) : name)
      for (const { Key, UploadId, Initiated } of reply.Uploads ?? []) {
        if (!Key || !UploadId) throw corruptReply('an upload without key or id', attempt)
        uploads.push({ key: decode(Key), uploadId: UploadId, startedMs: readTime(Initiated, attempt) })
      }
      marker = reply.IsTruncated
        ? { KeyMarker: decode(reply.NextKeyMarker ?? ''), UploadIdMarker: reply.NextUploadIdMarker ?? '' }
        : undefined
    }
    return uploads
  }

  async listParts(upload: UploadName, signal?: AbortSignal): Promise<readonly CompletedPart[]> {
    const attempt: Attempt = { operation: 'listParts', key: upload.key, inUpload: true, signal }
    const { shared } = this.#context
    const parts: CompletedPart[] = []
    let marker: string | undefined
    do {
      const command: ListPartsCommand = new ListPartsCommand({
        ...this.#named(upload),
        PartNumberMarker: marker,
        ...shared.payer,
        ...shared.customerKey,
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
