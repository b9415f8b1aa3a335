import { randomUUID } from 'node:crypto'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { inject } from 'vitest'
import type { Answer } from './server-keeper.js'

export interface TestCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** An S3 to test against; it runs until all tests are done and is shared by all test files. */
export interface S3Server {
  readonly endpoint: string
  readonly credentials: TestCredentials
  /** May read all that `credentials` may, and write nothing. */
  readonly readOnlyCredentials?: TestCredentials
}

/** Builds dist/ and build/ unless that has been done in this run; for tests that spawn what was built. */
export async function built(): Promise<void> {
  await ask('build')
}

/** The project's own in-memory S3, as a process of its own. */
export async function ownS3(): Promise<S3Server> {
  const endpoint = await ask('s3')
  if (endpoint === undefined) throw new Error('the own S3 is always there')
  return {
    endpoint,
    credentials: { accessKeyId: 'test', secretAccessKey: 'testsecret' },
    readOnlyCredentials: { accessKeyId: 'testro', secretAccessKey: 'testrosecret' },
  }
}

/** Ceph RGW; undefined where it is not installed. */
export async function cephS3(): Promise<S3Server | undefined> {
  const endpoint = await ask('ceph')
  if (endpoint === undefined) return undefined
  return {
    endpoint,
    credentials: { accessKeyId: 'test', secretAccessKey: 'testsecret' },
    readOnlyCredentials: { accessKeyId: 'testro', secretAccessKey: 'testrosecret' },
  }
}

/** OpenStack Swift's s3api; undefined where it is not installed. */
export async function swiftS3(): Promise<S3Server | undefined> {
  const endpoint = await ask('swift')
  if (endpoint === undefined) return undefined
  return { endpoint, credentials: { accessKeyId: 'test:tester', secretAccessKey: 'testing' } }
}

export async function createBucket(server: S3Server, bucket: string = freshBucketName()): Promise<string> {
  const client = new S3Client({
    endpoint: server.endpoint,
    credentials: server.credentials,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    return bucket
  } finally {
    client.destroy()
  }
}

export function freshBucketName(): string {
  return `test-${randomUUID()}`
}

/** What is not on this machine is skipped with a word about it, or fails where all is required. */
async function ask(name: string): Promise<string | undefined> {
  const reply = await fetch(`${inject('keeperUrl')}/${name}`)
  const answer = (await reply.json()) as Answer | { readonly failed: string }
  if ('endpoint' in answer) return answer.endpoint
  if ('failed' in answer) throw new Error(`${name}: ${answer.failed}`)
  if (process.env.REQUIRE_ALL === '1') throw new Error(`${name}: ${answer.missing}`)
  process.stderr.write(`SKIPPED: tests of ${name}: ${answer.missing}\n`)
  return undefined
}
