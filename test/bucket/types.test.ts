import type { Readable } from 'node:stream'
import { describe, expectTypeOf, it } from 'vitest'
import type {
  Bucket,
  CopyResult,
  DeleteResult,
  Listing,
  ObjectDetails,
  ObjectStream,
  ObjectVersion,
  openBucket,
  ProgressCallback,
  PutResult,
  TransferSummary,
} from '../../src/index.js'

/** What a program may rely on: the compiler checks it when the tests are built. */
describe('the types of the library', () => {
  it('open a bucket', () => {
    expectTypeOf<typeof openBucket>().returns.resolves.toEqualTypeOf<Bucket>()
    expectTypeOf<typeof openBucket>().toBeCallableWith('s3://name/prefix', { region: 'eu-central-1', requests: 8 })
    expectTypeOf<Bucket>().toExtend<AsyncIterable<ObjectVersion>>()
    expectTypeOf<Bucket>().toExtend<AsyncDisposable>()
  })

  it('put and get', () => {
    expectTypeOf<Bucket['put']>().returns.resolves.toEqualTypeOf<PutResult>()
    expectTypeOf<Bucket['put']>().toBeCallableWith('key', { any: 'value' }, { metadata: { a: 'b' } })
    expectTypeOf<Bucket['get']>().returns.resolves.toEqualTypeOf<Buffer>()
    expectTypeOf<Bucket['getStream']>().returns.resolves.toEqualTypeOf<ObjectStream>()
    expectTypeOf<ObjectStream>().toExtend<Readable>()
    expectTypeOf<Bucket['deserialize']>().returns.resolves.toEqualTypeOf<unknown>()
    expectTypeOf<Bucket['putFolder']>().returns.resolves.toEqualTypeOf<TransferSummary>()
    expectTypeOf<ProgressCallback>().parameters.toEqualTypeOf<
      [doneBytes: number, totalBytes: number | undefined, name: string]
    >()
  })

  it('list, look and change', () => {
    expectTypeOf<Bucket['list']>().returns.resolves.toEqualTypeOf<Listing>()
    expectTypeOf<Listing['truncated']>().toEqualTypeOf<boolean>()
    expectTypeOf<Bucket['has']>().returns.resolves.toEqualTypeOf<boolean>()
    expectTypeOf<Bucket['size']>().returns.resolves.toEqualTypeOf<number>()
    expectTypeOf<Bucket['info']>().returns.resolves.toEqualTypeOf<ObjectDetails>()
    expectTypeOf<Bucket['copy']>().returns.resolves.toEqualTypeOf<CopyResult>()
    expectTypeOf<Bucket['remove']>().returns.resolves.toEqualTypeOf<readonly DeleteResult[]>()
    expectTypeOf<Bucket['remove']>().toBeCallableWith(['a', 'b'], { signal: AbortSignal.abort() })
  })
})
