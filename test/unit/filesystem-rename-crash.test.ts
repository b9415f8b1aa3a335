import { cp, mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type MemoryStore, openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { DyingStore } from '../support/dying-store.js'
import { Harness } from '../support/filesystem-harness.js'

const KEYS = ['a/', 'a/f', 'a/g/', 'a/g/h', 'a//i']
/** Two parts of an upload: the copy has another ETag. */
const BIG = 'a/big'

let buckets = 0

async function filled(): Promise<MemoryStore> {
  const store = openMemoryStore(`rename-crash-${++buckets}`, { minPartBytes: 1 })
  for (const key of KEYS) await store.put(key, Buffer.from(key.endsWith('/') ? '' : key))
  const upload = await store.createUpload(BIG)
  const parts = [await upload.part(1, Buffer.from('one')), await upload.part(2, Buffer.from('two'))]
  await upload.complete(parts)
  return store
}

async function contents(store: MemoryStore): Promise<Record<string, string>> {
  const { objects } = await store.list()
  const found: Record<string, string> = {}
  for (const { key } of objects) {
    const chunks: Uint8Array[] = []
    for await (const chunk of (await store.get(key)).body) chunks.push(chunk)
    found[key] = Buffer.concat(chunks).toString()
  }
  return found
}

/** Everything is there under one of the names at least, at any moment. */
function holdsAll(found: Readonly<Record<string, string>>, expected: Readonly<Record<string, string>>): boolean {
  const isThere = (prefix: string) =>
    Object.entries(expected).every(([key, content]) => found[prefix + key.slice(2)] === content)
  return isThere('a/') || isThere('b/')
}

/** Renames until the driver dies at this request; true if it did. What is left is a state folder, as it was then. */
async function dieAt(store: MemoryStore, request: number, isCarriedOut: boolean, withTarget: boolean) {
  const dying = new DyingStore(store, request, isCarriedOut)
  const h = await Harness.open({ store: dying })
  const renamed = rename(h, withTarget)
  const end = await Promise.race([renamed, dying.died])
  const folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
  await cp(h.folder, folder, { recursive: true })
  const bury = async () => {
    dying.bury()
    await renamed.catch(() => undefined)
    await h.close()
  }
  return { hasDied: end === 'died', folder, bury }
}

async function rename(h: Harness, withTarget: boolean): Promise<'done'> {
  if (withTarget) await h.store.put('b/', new Uint8Array(0))
  await h.rename('a', 'b')
  return 'done'
}

for (const isCarriedOut of [false, true])
  for (const withTarget of [false, true])
    test(`a driver that dies ${isCarriedOut ? 'after' : 'before'} any request of a rename${withTarget ? ' over an empty folder' : ''} loses nothing`, async () => {
      const reference = await contents(await filled())
      for (let request = 1; ; request++) {
        const store = await filled()
        const { hasDied, folder, bury } = await dieAt(store, request, isCarriedOut, withTarget)
        expect(holdsAll(await contents(store), reference), `at request ${request}`).toBe(true)
        const wasBegun = (await readdir(join(folder, 'renames'))).length > 0
        const next = await Harness.open({ store, folder })
        await next.resume()
        const after = await contents(store)
        expect(holdsAll(after, reference), `after request ${request}`).toBe(true)
        const prefixes = new Set(Object.keys(after).map(key => key.slice(0, 2)))
        if (wasBegun) expect([...prefixes], `after request ${request}`).toEqual(['b/'])
        expect(await readdir(join(folder, 'renames'))).toEqual([])
        await next.close()
        await bury()
        if (!hasDied) return
      }
    })
