import { expect, it } from 'vitest'
import { isStoreError } from '../../../src/backend/store-error.js'
import { contentOf, kindOf, text } from '../../support/store-tools.js'
import type { Deviation, SuiteContext } from './suite-context.js'

interface StrangeKeys {
  readonly what: string
  readonly deviation?: Deviation
  readonly names: readonly string[]
}

const STRANGE: readonly StrangeKeys[] = [
  { what: 'spaces', names: [' ', 'a b', ' lead', 'trail ', 'two  spaces'] },
  {
    what: 'what URLs and XML escape',
    names: ['a+b', '100%', '%20', '%2F', 'a?b=c', 'a#b', 'a&b', '<&>"\'', 'a;b', 'a=b@c:d,e!f$g*h(i)j'],
  },
  { what: 'what globs and shells know', names: ['*', '[a]', '{b}', '~', '|', '^', '`', '$HOME', '-rf', '_'] },
  { what: 'a backslash', deviation: 'refuses-backslash', names: ['a\\b', '\\'] },
  {
    what: 'Unicode, composed and decomposed',
    names: ['\u00e9', 'e\u0301', '日本語', '\u{1f600}', '\u200b', '\ufeff', '\uffee', 'שלום'],
  },
  {
    what: 'hidden and dotted names',
    names: ['.hidden', '...', '.mount-bucket/x', '.mount-bucket', 'a.', 'COM1', 'name.txt~'],
  },
  { what: 'empty segments', deviation: 'refuses-empty-segments', names: ['a//b', '/lead', 'x///y', 'b//'] },
  {
    what: 'dot segments',
    deviation: 'refuses-dot-segments',
    names: ['.', '..', './a', '../a', 'b/./c', 'b/../c', 'd/.', 'd/..'],
  },
  {
    what: 'control characters',
    deviation: 'refuses-control-characters',
    names: ['a\tb', 'a\nb', 'a\rb', '\u0001', '\u007f', '\u0085'],
  },
]

/** Every key is stored, listed, read and removed as it is. */
export function keyTests(context: SuiteContext): void {
  for (const { what, deviation, names } of STRANGE)
    it(`takes keys with ${what}`, async () => {
      const folder = context.folder()
      for (const name of names) await roundTrip(context, folder, `${folder}${name}`, deviation)
    })

  it('takes a key that begins with a slash', async () => {
    await roundTrip(context, `/${context.folder()}`, `/${context.folder()}lead`, 'refuses-leading-slash')
  })

  it('takes a key that ends in a slash, with bytes', async () => {
    const folder = context.folder()
    await roundTrip(context, folder, `${folder}a/`, 'refuses-trailing-slash-with-bytes')
    await context.store.put(`${folder}marker/`, text(''))
    expect(await context.store.head(`${folder}marker/`)).toMatchObject({ sizeBytes: 0 })
  })

  it('takes long names and keys', async () => {
    const folder = context.folder()
    const longest = folder + 'x'.repeat(context.maxKeyBytes - Buffer.byteLength(folder))
    await roundTrip(context, folder, longest, 'refuses-1024-byte-keys')
    const names = ['n'.repeat(255), 'n'.repeat(256), `${'é'.repeat(200)}/x`, `${'d'.repeat(300)}/${'e'.repeat(300)}`]
    for (const name of names) await roundTrip(context, folder, folder + name)
  })

  it('keeps `a`, `a/` and `a/b` beside each other', async ({ skip }) => {
    skip(context.deviates('keys-do-not-nest'), 'the server keeps keys as files')
    expect(context.store.capabilities.keysMayNest).toBe(true)
    const folder = context.folder()
    for (const order of [
      ['a', 'a/b', 'a/'],
      ['c/d/e', 'c', 'c/d', 'c/'],
    ]) {
      for (const name of order) await context.store.put(folder + name, text(name))
      for (const name of order) expect((await contentOf(context.store, folder + name)).toString()).toBe(name)
      const [gone = '', ...kept] = order
      await context.store.delete([{ key: folder + gone }])
      expect(await kindOf(context.store.head(folder + gone))).toBe('not-found')
      for (const name of kept) expect((await contentOf(context.store, folder + name)).toString()).toBe(name)
    }
  })

  it('says when keys do not nest', async ({ skip }) => {
    skip(!context.deviates('keys-do-not-nest'), 'they do')
    expect(context.store.capabilities.keysMayNest).toBe(false)
    const folder = context.folder()
    await context.store.put(`${folder}a`, text('a'))
    expect(await kindOf(context.store.put(`${folder}a/b`, text('b')))).not.toBe('resolved')
    expect((await contentOf(context.store, `${folder}a`)).toString()).toBe('a')
  })

  it('refuses what is no key', async () => {
    const wrong = [`${context.folder()}${'x'.repeat(1025)}`, `${context.folder()}\ud800`, `${context.folder()}\udc00x`]
    for (const key of wrong) {
      expect(await kindOf(context.store.put(key, text('x')))).toBe('invalid')
      expect(await kindOf(context.store.head(key))).toBe('invalid')
      expect(await kindOf(context.store.get(key))).toBe('invalid')
      expect(await kindOf(context.store.createUpload(key))).toBe('invalid')
      const [result] = await context.store.delete([{ key }])
      expect(result?.error?.kind).toBe('invalid')
    }
  })
}

async function roundTrip(context: SuiteContext, folder: string, key: string, deviation?: Deviation): Promise<void> {
  const { store } = context
  const what = JSON.stringify(key)
  const content = text(`the bytes of ${what}`)
  if (deviation !== undefined && context.deviates(deviation)) {
    const failure: unknown = await store.put(key, content).catch((error: unknown) => error)
    if (isStoreError(failure)) return
  }
  await store.put(key, content)
  expect(await store.head(key), what).toMatchObject({ key, sizeBytes: content.byteLength })
  expect((await contentOf(store, key)).equals(content), what).toBe(true)
  const { objects } = await store.list({ prefix: key })
  expect(objects.map(object => object.key)).toContain(key)
  const inFolder = await store.list({ prefix: folder })
  if (key.startsWith(folder)) expect(inFolder.objects.map(object => object.key)).toContain(key)
  expect(await store.delete([{ key }]), what).toStrictEqual([{ key }])
  expect(await kindOf(store.head(key)), what).toBe('not-found')
}
