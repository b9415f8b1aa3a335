import type { ReadBody } from './body-reader.js'
import type { Bucket } from './bucket.js'
import type { Call } from './call.js'
import type { Knobs } from './knobs.js'
import type { Reply } from './reply.js'
import { S3Error } from './s3-error.js'

/** What handlers work on. */
export interface Service {
  readonly buckets: Map<string, Bucket>
  readonly knobs: Knobs
  readonly region: string
  readonly nowMs: () => number
  readBody(call: Call): Promise<ReadBody>
}

export type Handler = (service: Service, call: Call) => Promise<Reply> | Reply

export function bucketOf(service: Service, name: string): Bucket {
  const bucket = service.buckets.get(name)
  if (bucket === undefined)
    throw new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist', { BucketName: name })
  return bucket
}
