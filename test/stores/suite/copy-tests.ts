import { expect, it } from 'vitest'
import { contentOf, kindOf, testBytes, text } from '../../support/store-tools.js'
import type { SuiteContext } from './suite-context.js'

/** Copies on the server. */
export function copyTests(context: SuiteContext): void {
  it('copies bytes, metadata and headers', async () => {
    const { store } = context
    const folder = context.folder()
    const bytes = testBytes(100_001)
    const metadata = { mode: '33188', note: 'x' }
    const from = `${folder}from +%&ü`
    await store.put(from, bytes, { metadata, headers: { contentType: 'text/x-test' } })
    await store.put(`${folder}to`, text('old'), { metadata: { old: '1' } })
    const { etag } = await store.copy(from, `${folder}to`)
    const head = await store.head(`${folder}to`)
    expect(head).toMatchObject({ etag, sizeBytes: bytes.byteLength, headers: { contentType: 'text/x-test' } })
    expect(head.metadata).toStrictEqual(metadata)
    expect((await contentOf(store, `${folder}to`)).equals(bytes)).toBe(true)
    expect((await contentOf(store, from)).equals(bytes)).toBe(true)
  })

  it('replaces metadata and headers together where either is given', async () => {
    const { store } = context
    const folder = context.folder()
    const from = `${folder}from`
    await store.put(from, text('x'), { metadata: { a: '1' }, headers: { contentLanguage: 'de' } })
    await store.copy(from, `${folder}metadata`, { metadata: { b: '2' } })
    const head = await store.head(`${folder}metadata`)
    expect(head.metadata).toStrictEqual({ b: '2' })
    expect(head.headers.contentLanguage).toBeUndefined()
    await store.copy(from, `${folder}headers`, { headers: { contentType: 'text/x-test' } })
    expect(await store.head(`${folder}headers`)).toMatchObject({
      metadata: {},
      headers: { contentType: 'text/x-test' },
    })
  })

  it('changes metadata by a copy onto itself, and keeps the content', async () => {
    const { store } = context
    const key = `${context.folder()}object`
    const bytes = testBytes(50_001)
    await store.put(key, bytes, { metadata: { mode: '33188' } })
    const { etag } = await store.copy(key, key, {
      metadata: { mode: '33261' },
      headers: { contentType: 'text/x-test' },
    })
    const head = await store.head(key)
    expect(head).toMatchObject({ etag, sizeBytes: bytes.byteLength, headers: { contentType: 'text/x-test' } })
    expect(head.metadata).toStrictEqual({ mode: '33261' })
    expect((await contentOf(store, key)).equals(bytes)).toBe(true)
  })

  it('copies only the version of the source that is named, and only what exists', async () => {
    const { store } = context
    const folder = context.folder()
    const { etag: old } = await store.put(`${folder}from`, text('old'))
    const { etag } = await store.put(`${folder}from`, text('new'))
    expect(await kindOf(store.copy(`${folder}from`, `${folder}to`, { sourceIfMatch: old }))).toBe('precondition-failed')
    expect(await kindOf(store.copy(`${folder}missing`, `${folder}to`))).toBe('not-found')
    expect(await kindOf(store.head(`${folder}to`))).toBe('not-found')
    await store.copy(`${folder}from`, `${folder}to`, { sourceIfMatch: etag })
    expect((await contentOf(store, `${folder}to`)).toString()).toBe('new')
  })
}
