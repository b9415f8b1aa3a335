import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { type FaultRule, FaultRules } from '../../src/backend/layers/fault-rules.js'
import { MemoryStore } from '../../src/backend/memory/memory-store.js'
import { copyByParts } from '../../src/backend/s3/large-copy.js'
import { beginUpload } from '../../src/backend/upload-ends.js'

const MIB = 1024 ** 2
const bytes = Buffer.alloc(21 * MIB, 'twenty-one of them ')

async function storeWith(...rules: readonly FaultRule[]) {
  const inner = new MemoryStore('mem://large-copy')
  const store = new FaultLayer(inner, new FaultRules(rules))
  await inner.put('from', bytes)
  return { inner, store, source: await inner.head('from') }
}

describe('a copy by parts on the server', () => {
  it('copies all parts', async () => {
    const { inner, store, source } = await storeWith()
    await copyByParts(source, await store.createUpload('to'), { partBytes: 5 * MIB })
    const chunks: Uint8Array[] = []
    for await (const chunk of (await inner.get('to')).body) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    expect(await inner.listUploads()).toEqual([])
  })

  it('ends the other parts with the first failure, and leaves no upload when all have ended', async () => {
    const { inner, store, source } = await storeWith(
      { operations: ['copyPart'], nth: 1, fault: { delayMs: Number.POSITIVE_INFINITY } },
      { operations: ['copyPart'], nth: 2, fault: { kind: 'denied' } },
    )
    const copied = copyByParts(source, await store.createUpload('to'), { partBytes: 5 * MIB })
    await expect(copied).rejects.toMatchObject({ kind: 'denied' })
    expect(await inner.listUploads()).toEqual([])
  })

  it('fails with its cause when the upload can not be dropped, either', async () => {
    const { store, source } = await storeWith(
      { operations: ['copyPart'], nth: 2, fault: { kind: 'denied' } },
      { operations: ['abort'], fault: { kind: 'unavailable' } },
    )
    const copied = copyByParts(source, await store.createUpload('to'), { partBytes: 5 * MIB })
    await expect(copied).rejects.toMatchObject({ kind: 'denied' })
  })
})

describe('the beginning of an upload', () => {
  it('is heard of when it is given up meanwhile', async () => {
    const { inner, store } = await storeWith({ operations: ['createUpload'], fault: { delayMs: 20 } })
    const giveUp = new AbortController()
    const begun = beginUpload('to', giveUp.signal, signal => store.createUpload('to', { signal }))
    giveUp.abort()
    await (await begun).abort()
    expect(await inner.listUploads()).toEqual([])
  })

  it('is not asked for by who has given up before', async () => {
    const { inner, store } = await storeWith()
    const begun = beginUpload('to', AbortSignal.abort(), signal => store.createUpload('to', { signal }))
    await expect(begun).rejects.toMatchObject({ kind: 'aborted' })
    expect(await inner.listUploads()).toEqual([])
  })
})
