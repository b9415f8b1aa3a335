import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLocalStore } from '../../src/backend/local/local-store.js'
import { temporaryFolder } from '../support/store-folders.js'
import { contentOf, text } from '../support/store-tools.js'
import { objectStoreSuite } from './object-store.suite.js'
import type { Deviation } from './suite/suite-context.js'

const NO_TRAITS: readonly Deviation[] = [
  'knows-no-traits',
  'keeps-no-storage-class',
  'keeps-no-encryption',
  'keeps-no-tags',
  'keeps-no-grants',
]

for (const useXattrs of [true, false])
  objectStoreSuite(
    `local folder, ${useXattrs ? 'extended attributes' : 'side files'}`,
    async () => {
      const folder = await temporaryFolder()
      const store = await openLocalStore(folder.path, { useXattrs, minPartBytes: 5000 })
      return { store, prefix: '', dispose: folder.remove }
    },
    { manyKeys: 1100, deviations: NO_TRAITS },
  )

/** A process of its own that runs a program with `store` open on the folder; the program is the body of a module. */
function inProcess(folder: string, program: string, user: { readonly uid?: number; readonly gid?: number } = {}) {
  const module = pathToFileURL(join(import.meta.dirname, '../../dist/backend/local/local-store.js')).href
  const source = `
    const { openLocalStore } = await import(${JSON.stringify(module)})
    const store = await openLocalStore(${JSON.stringify(folder)})
    ${program}`
  return execa(process.execPath, ['--input-type=module', '--eval', source], user)
}

describe('processes that share a folder', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeAll(async () => {
    folder = await temporaryFolder()
  })
  afterAll(() => folder.remove())

  it('lose no update of each other', async () => {
    const store = await openLocalStore(folder.path)
    await store.put('counter', text('0'))
    const increment = `
      for (let done = 0; done < 25; ) {
        const { info, body } = await store.get('counter')
        let value = ''
        for await (const chunk of body) value += Buffer.from(chunk).toString()
        try {
          await store.put('counter', Buffer.from(String(Number(value) + 1)), { ifMatch: info.etag })
          done++
        } catch (error) {
          if (error.kind !== 'precondition-failed') throw error
        }
      }`
    await Promise.all([1, 2, 3].map(() => inProcess(folder.path, increment)))
    expect((await contentOf(store, 'counter')).toString()).toBe('75')
  })

  it('leave the old object when one is killed in the middle of a put', async () => {
    const store = await openLocalStore(folder.path)
    const { etag } = await store.put('object', text('old'))
    const writer = inProcess(
      folder.path,
      `const open = async function* () {
        yield Buffer.alloc(1000)
        console.log('half')
        await new Promise(resolve => setTimeout(resolve, 600_000))
      }
      await store.put('object', { sizeBytes: 2000, open })`,
    )
    const killHalfway = async () => {
      for await (const line of writer) if (line === 'half') writer.kill('SIGKILL')
    }
    await expect(killHalfway()).rejects.toMatchObject({ signal: 'SIGKILL' })
    expect(await store.head('object')).toMatchObject({ etag, sizeBytes: 3 })
    expect((await store.list()).objects.map(object => object.key)).toStrictEqual(['counter', 'object'])
    const temporaries = join(folder.path, '.mount-bucket/tmp')
    expect(await readdir(temporaries)).toHaveLength(1)
    await openLocalStore(folder.path, { nowMs: () => Date.now() + 25 * 60 * 60 * 1000 })
    expect(await readdir(temporaries)).toStrictEqual([])
  })

  it.skipIf(process.getuid?.() !== 0)('may only read where they have no right to write', async () => {
    const readable = await temporaryFolder()
    await chmod(readable.path, 0o755)
    await writeFile(join(readable.path, 'file'), 'content')
    const { stdout } = await inProcess(
      readable.path,
      `const kinds = []
      const call = name => error => kinds.push(name + ': ' + error.kind)
      await store.put('new', Buffer.alloc(1)).catch(call('put'))
      await store.createUpload('new').catch(call('createUpload'))
      await store.copy('file', 'file', { metadata: {} }).catch(call('copy'))
      const [{ error }] = await store.delete([{ key: 'file' }])
      call('delete')(error)
      console.log((await store.head('file')).sizeBytes, kinds.join(', '))`,
      { uid: 65534, gid: 65534 },
    )
    expect(stdout).toBe('7 put: denied, createUpload: denied, copy: denied, delete: denied')
    expect(await readdir(readable.path)).toStrictEqual(['file'])
    await readable.remove()
  })
})
