import { getAcl, getOwnershipControls, putAcl } from './acl.js'
import { Bucket } from './bucket.js'
import type { Call } from './call.js'
import { listV1, listV2 } from './listing.js'
import { copyObject, deleteObject, deleteObjects, getObject, putObject } from './objects.js'
import { type Reply, xml } from './reply.js'
import { notImplemented, S3Error } from './s3-error.js'
import { bucketOf, type Handler, type Service } from './service.js'
import { deleteTags, getTags, putTags } from './tags.js'
import {
  abortUpload,
  completeUpload,
  createUpload,
  listParts,
  listUploads,
  uploadPart,
  uploadPartCopy,
} from './uploads.js'
import { document } from './xml.js'

const HANDLERS: Readonly<Record<string, Handler>> = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  DeleteBucket: deleteBucket,
  HeadBucket: headBucket,
  GetBucketLocation: getBucketLocation,
  ListObjects: listV1,
  ListObjectsV2: listV2,
  GetObject: getObject,
  HeadObject: getObject,
  PutObject: putObject,
  CopyObject: copyObject,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  ListMultipartUploads: listUploads,
  ListParts: listParts,
  GetObjectTagging: getTags,
  PutObjectTagging: putTags,
  DeleteObjectTagging: deleteTags,
  GetObjectAcl: getAcl,
  PutObjectAcl: putAcl,
  GetBucketOwnershipControls: getOwnershipControls,
}

export function handlerOf(call: Call): Handler {
  const handler = HANDLERS[call.operation]
  if (handler === undefined) throw notImplemented(`${call.method} with these parameters`)
  return handler
}

function listBuckets(service: Service): Reply {
  const buckets = [...service.buckets.values()].map(bucket => ({
    Name: bucket.name,
    CreationDate: new Date(bucket.createdMs).toISOString(),
  }))
  return xml(document('ListAllMyBucketsResult', { Owner: { ID: 'owner' }, Buckets: { Bucket: buckets } }))
}

async function createBucket(service: Service, call: Call): Promise<Reply> {
  await service.readBody(call)
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(call.bucket))
    throw new S3Error(400, 'InvalidBucketName', 'The specified bucket is not valid.')
  if (service.buckets.has(call.bucket))
    throw new S3Error(409, 'BucketAlreadyOwnedByYou', 'Your previous request to create the named bucket succeeded.')
  service.buckets.set(call.bucket, new Bucket(call.bucket, service.nowMs()))
  return { status: 200, headers: { location: `/${call.bucket}` } }
}

function deleteBucket(service: Service, call: Call): Reply {
  const bucket = bucketOf(service, call.bucket)
  if (bucket.size > 0) throw new S3Error(409, 'BucketNotEmpty', 'The bucket you tried to delete is not empty')
  service.buckets.delete(call.bucket)
  return { status: 204 }
}

function headBucket(service: Service, call: Call): Reply {
  bucketOf(service, call.bucket)
  return { status: 200, headers: { 'x-amz-bucket-region': service.region } }
}

function getBucketLocation(service: Service, call: Call): Reply {
  bucketOf(service, call.bucket)
  const { region } = service
  const body = document('LocationConstraint', {})
  return xml(region === 'us-east-1' ? body : body.replace('></', `>${region}</`))
}
