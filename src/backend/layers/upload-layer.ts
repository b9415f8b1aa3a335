import type {
  Body,
  CallOptions,
  CompletedPart,
  CopyPartSource,
  Upload,
  WriteConditions,
  WriteResult,
} from '../object-store.js'

/** An upload around an upload that passes everything on, as StoreLayer does for a store. */
export abstract class UploadLayer implements Upload {
  protected readonly inner: Upload

  constructor(inner: Upload) {
    this.inner = inner
  }

  get key(): string {
    return this.inner.key
  }

  get uploadId(): string {
    return this.inner.uploadId
  }

  part(number: number, body: Body, options?: CallOptions): Promise<CompletedPart> {
    return this.inner.part(number, body, options)
  }

  copyPart(number: number, source: CopyPartSource, options?: CallOptions): Promise<CompletedPart> {
    return this.inner.copyPart(number, source, options)
  }

  complete(parts: readonly CompletedPart[], options?: CallOptions & WriteConditions): Promise<WriteResult> {
    return this.inner.complete(parts, options)
  }

  abort(options?: CallOptions): Promise<void> {
    return this.inner.abort(options)
  }
}
