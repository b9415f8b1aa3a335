import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { UploadsError } from '../../src/bucket/upload-queue.js'
import { libraryStores } from '../support/library-stores.js'
import { contentOf } from '../support/store-tools.js'

describe.each(await libraryStores())('background uploads to %s', (_, open) => {
  it('are all there after a flush, as they were when they were queued', async () => {
    const { bucket, store, folder, dispose } = await open()
    const bytes = Buffer.from('before')
    const value = { text: 'before' }
    await bucket.queue.put('bytes', bytes)
    await bucket.queue.put('value.json', value)
    bytes.write('after!')
    value.text = 'after'
    await writeFile(join(folder, 'file'), 'from a file')
    await bucket.queue.putFile(join(folder, 'file'))
    for (let number = 0; number < 50; number++) await bucket.queue.put('same', `version ${number}`)
    await bucket.update({ flush: true })
    expect((await contentOf(store, 'bytes')).toString()).toBe('before')
    expect(await bucket.deserialize('value.json')).toEqual({ text: 'before' })
    expect((await contentOf(store, 'file')).toString()).toBe('from a file')
    expect((await contentOf(store, 'same')).toString()).toBe('version 49')
    await dispose()
  })

  it('are waited for when the bucket is closed, and tell what failed', async () => {
    const rules = new FaultRules([])
    const { bucket, store, folder } = await open({ layer: inner => new FaultLayer(inner, rules) })
    rules.add({ operations: ['put'], key: /^bad/, fault: { kind: 'denied' } })
    for (let number = 0; number < 30; number++) await bucket.queue.put(`good-${number}`, 'x')
    await bucket.queue.put('bad-1', 'x')
    await bucket.queue.putFile(join(folder, 'none'), 'bad-2')
    const failure = await bucket.close().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(UploadsError)
    expect((failure as UploadsError).failures.map(({ key }) => key).sort()).toEqual(['bad-1', 'bad-2'])
    if (!store.url.startsWith('s3:')) expect((await store.list()).objects).toHaveLength(30)
  })
})
