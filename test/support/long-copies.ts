import { readBody } from '../../src/backend/body.js'
import { checkVersion } from '../../src/backend/conditions.js'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import type { CopyOptions, WriteResult } from '../../src/backend/object-store.js'

/** A store that copies as S3 does what is large: it looks at the source when it begins, and at the target when it ends. */
export class LongCopies extends StoreLayer {
  whileCopying: () => Promise<unknown> = async () => undefined

  override async copy(from: string, to: string, options: CopyOptions = {}): Promise<WriteResult> {
    const { info, body } = await this.inner.get(from)
    checkVersion(options.sourceIfMatch, info.etag, 'copy', from)
    const chunks: Uint8Array[] = []
    for await (const chunk of readBody({ sizeBytes: info.sizeBytes, open: () => body }, 'get', from)) chunks.push(chunk)
    await this.whileCopying()
    const { metadata = info.metadata, headers = info.headers, ifMatch, ifNoneMatch } = options
    return this.inner.put(to, Buffer.concat(chunks), { metadata, headers, ifMatch, ifNoneMatch })
  }
}
