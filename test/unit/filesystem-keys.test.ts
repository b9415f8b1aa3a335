import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ROOT_NODE } from '../../src/fs/operations.js'
import { callContext } from '../support/call-context.js'
import { type Harness, harness, openFlags } from '../support/filesystem-harness.js'

const context = callContext({ uid: 1000, gid: 1000, pid: 1 })

interface Listed {
  readonly name: Buffer
  readonly isDirectory: boolean
}

async function list(h: Harness, node: number): Promise<Listed[]> {
  const { handle } = await h.filesystem.opendir(node, context)
  const found: Listed[] = []
  let offset = 0
  for (let taken = 1; taken > 0; ) {
    taken = 0
    const add = (entry: { name: string | Uint8Array; mode: number; nextOffset: number }) => {
      if (taken === 3) return false
      taken += 1
      offset = entry.nextOffset
      found.push({ name: Buffer.from(entry.name), isDirectory: (entry.mode & 0o170000) === 0o040000 })
      return true
    }
    await h.filesystem.readdir(handle, offset, false, { add }, context)
  }
  await h.filesystem.releasedir(handle)
  return found.filter(({ name }) => !['.', '..'].includes(name.toString()))
}

async function lookup(h: Harness, parent: number, name: Buffer): Promise<number> {
  const { node } = await h.filesystem.lookup(parent, name, context)
  if (node === 0) throw new Error(`a listed name is not there: ${JSON.stringify(name.toString())}`)
  return node
}

/** Every file below a folder with its bytes, found as a program finds it: by listing and looking up. */
async function walk(h: Harness, node: number, path: string, files: Map<string, string>): Promise<Map<string, string>> {
  for (const { name, isDirectory } of await list(h, node)) {
    const child = await lookup(h, node, name)
    const childPath = `${path}/${name.toString('latin1')}`
    if (isDirectory) await walk(h, child, childPath, files)
    else files.set(childPath, await read(h, child))
    h.filesystem.forget(child, 1)
  }
  return files
}

async function read(h: Harness, node: number): Promise<string> {
  const { handle } = await h.filesystem.open(node, openFlags({}), context)
  const bytes = await h.read(handle, 0, 4096)
  await h.closeFile(handle)
  return bytes.toString()
}

const unit = fc.oneof(
  fc.constantFrom('␛', '␛k', '␛+', '␛o', '␛b', '%', '%00', '%FF', '.', '..', '\0', 'a', 'é', '\u{1F600}', '\n', ' '),
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom('x'.repeat(240), 'y'.repeat(255), 'é'.repeat(130)),
)
const component = fc.array(unit, { maxLength: 4 }).map(units => units.join('').replaceAll('/', ''))
const key = fc
  .array(component, { minLength: 1, maxLength: 4 })
  .map(components => components.join('/'))
  .filter(text => text.isWellFormed() && Buffer.byteLength(text) > 0 && Buffer.byteLength(text) <= 1024)

describe('every key has a path', () => {
  it('each object of any bucket is found once, with its own bytes, and a path leads back to its key', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { minLength: 1, maxLength: 8 }), async keys => {
        const h = await harness()
        for (const one of keys) await h.putOutside(one, `bytes of ${one}`)
        const files = await walk(h, ROOT_NODE, '', new Map())
        expect([...files.values()].sort()).toEqual(keys.map(one => `bytes of ${one}`).sort())
      }),
      { numRuns: 300 },
    )
  })

  it('each object can be overwritten, renamed and removed through its path', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { minLength: 1, maxLength: 5 }), fc.nat(), async (keys, pick) => {
        const h = await harness()
        for (const one of keys) await h.putOutside(one, `bytes of ${one}`)
        const chosen = keys[pick % keys.length] ?? ''
        const change = async (node: number): Promise<boolean> => {
          for (const { name, isDirectory } of await list(h, node)) {
            const child = await lookup(h, node, name)
            if (isDirectory) {
              if (await change(child)) return true
            } else if ((await read(h, child)) === `bytes of ${chosen}`) {
              const { handle } = await h.filesystem.open(child, openFlags({ write: true, truncate: true }), context)
              await h.write(handle, 0, Buffer.from('new'))
              await h.closeFile(handle)
              expect(await h.stored(chosen)).toBe('new')
              await h.filesystem.rename(node, name, ROOT_NODE, Buffer.from('moved'), noFlags, context)
              expect(await h.stored('moved')).toBe('new')
              expect(await h.stored(chosen)).toBeUndefined()
              return true
            }
          }
          return false
        }
        expect(await change(ROOT_NODE)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('each name, whatever its bytes, is a file that is listed under it again, also by another mount', async () => {
    const name = fc
      .oneof(
        fc.uint8Array({ minLength: 1, maxLength: 255 }),
        component.map(text => Buffer.from(text)),
        fc.array(fc.constantFrom(0xe2, 0x90, 0x9b, 0x6b, 0x2b, 0x62, 0x25, 0x46, 0xff), {
          minLength: 1,
          maxLength: 30,
        }),
      )
      .map(bytes => Buffer.from(bytes).subarray(0, 255))
      .filter(bytes => bytes.length > 0 && !bytes.includes(0) && !bytes.includes(0x2f))
      .filter(bytes => !['.', '..', '␛k', '␛o'].includes(bytes.toString()) && !bytes.toString().startsWith('␛+'))
    await fc.assert(
      fc.asyncProperty(name, async bytes => {
        const h = await harness()
        const { open: opened } = await h.filesystem.create(
          ROOT_NODE,
          bytes,
          0o644,
          openFlags({ write: true, exclusive: true }),
          context,
        )
        await h.write(opened.handle, 0, Buffer.from('x'))
        await h.closeFile(opened.handle)
        expect((await list(h, ROOT_NODE)).map(one => one.name)).toEqual([bytes])
        const other = await harness({ store: h.store })
        expect((await list(other, ROOT_NODE)).map(one => one.name)).toEqual([bytes])
      }),
      { numRuns: 300 },
    )
  })

  it('an object beside a folder of its name is a file in the folder, and the folder shows it no longer when it goes', async () => {
    const h = await harness()
    await h.putOutside('a', 'object')
    await h.putOutside('a/b', 'below')
    expect(await h.list('')).toEqual(['a'])
    expect((await h.list('a')).sort()).toEqual(['b', '␛o'])
    expect((await h.readFile('a/␛o')).toString()).toBe('object')
    await h.unlink('a/␛o')
    expect(await h.list('a')).toEqual(['b'])
    expect(await h.stored('a')).toBeUndefined()
    expect(await h.stored('a/b')).toBe('below')
  })
})

const noFlags = { noReplace: false, exchange: false }
