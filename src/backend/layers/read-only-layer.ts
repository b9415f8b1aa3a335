import type { CompletedPart, DeleteResult, ObjectTraits, TraitsOptions, Upload, WriteResult } from '../object-store.js'
import type { Powers } from '../powers.js'
import { StoreError } from '../store-error.js'
import { readOnlyPowers } from './around-powers.js'
import { StoreLayer } from './store-layer.js'
import { UploadLayer } from './upload-layer.js'

/** A store of which nothing can be changed: every writing call rejects with `denied`. */
export class ReadOnlyLayer extends StoreLayer {
  override put(key: string): Promise<WriteResult> {
    return refuse('put', key)
  }

  override createUpload(key: string): Promise<Upload> {
    return refuse('createUpload', key)
  }

  override resumeUpload(key: string, uploadId: string): Upload {
    return new ReadOnlyUpload(this.inner.resumeUpload(key, uploadId))
  }

  override copy(_from: string, to: string): Promise<WriteResult> {
    return refuse('copy', to)
  }

  override traits(key: string, options?: TraitsOptions): Promise<ObjectTraits> {
    return this.inner.traits(key, { ...options, writesNothing: true })
  }

  override delete(): Promise<readonly DeleteResult[]> {
    return refuse('delete')
  }

  protected override wrapPowers(powers: Powers): Powers {
    return readOnlyPowers(powers, refuse)
  }
}

class ReadOnlyUpload extends UploadLayer {
  override part(): Promise<CompletedPart> {
    return refuse('part', this.key)
  }

  override copyPart(): Promise<CompletedPart> {
    return refuse('copyPart', this.key)
  }

  override complete(): Promise<WriteResult> {
    return refuse('complete', this.key)
  }

  override abort(): Promise<void> {
    return refuse('abort', this.key)
  }
}

async function refuse(operation: string, key?: string): Promise<never> {
  throw new StoreError('denied', `${operation}: the store is opened read-only`, {
    operation,
    code: 'EROFS',
    ...(key !== undefined && { key }),
  })
}
