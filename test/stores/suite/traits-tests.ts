import { expect, it } from 'vitest'
import type { ObjectTraits } from '../../../src/backend/object-store.js'
import { contentOf, kindOf, testBytes, text } from '../../support/store-tools.js'
import type { SuiteContext } from './suite-context.js'

const ALL_USERS = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
const AUTHENTICATED = 'uri="http://acs.amazonaws.com/groups/global/AuthenticatedUsers"'

/** Storage class, encryption, tags and grants. */
export function traitsTests(context: SuiteContext): void {
  tellingTests(context)
  copyTests(context)
  refusalTests(context)
}

/** One of each kind that the store keeps. */
function someTraits(context: SuiteContext): ObjectTraits {
  const grants = { read: [ALL_USERS, AUTHENTICATED], readAcp: [AUTHENTICATED], fullControl: [`id="${context.owner}"`] }
  return {
    ...(!context.deviates('keeps-no-storage-class') && { storageClass: 'STANDARD_IA' }),
    ...(!context.deviates('keeps-no-encryption') && { encryption: { algorithm: 'aws:kms', keyId: 'key-1' } }),
    ...(!context.deviates('keeps-no-tags') && { tags: { colour: 'red', 'a b+c/ü': '=&% ü:' } }),
    ...(!context.deviates('keeps-no-grants') && { grants }),
  }
}

/** What a plain object may tell: the usual class, the owner alone. */
function withoutDefaults({ storageClass, grants, ...rest }: ObjectTraits): ObjectTraits {
  return {
    ...rest,
    ...(storageClass !== undefined && storageClass !== 'STANDARD' && { storageClass }),
    ...(grants !== undefined && Object.keys(grants).length > 0 && { grants }),
  }
}

async function traitsOf({ store }: SuiteContext, key: string): Promise<ObjectTraits> {
  return withoutDefaults(await store.traits(key))
}

function tellingTests(context: SuiteContext): void {
  it('tells what came with a put, and nothing of a plain object', async () => {
    const { store } = context
    const folder = context.folder()
    const traits = someTraits(context)
    await store.put(`${folder}plain`, text('x'))
    await store.put(`${folder}special`, text('x'), { traits, metadata: { note: 'kept' } })
    expect(await traitsOf(context, `${folder}plain`)).toStrictEqual({})
    expect(await traitsOf(context, `${folder}special`)).toStrictEqual(traits)
    const head = await store.head(`${folder}special`)
    expect(head).toMatchObject({ metadata: { note: 'kept' } })
    expect(head.encryption).toStrictEqual(traits.encryption)
    expect(withoutDefaults(await store.traits(`${folder}special`, { listed: head }))).toStrictEqual(traits)
  })

  it('tells what came with an upload', async () => {
    const { store } = context
    const key = `${context.folder()}object`
    const traits = someTraits(context)
    const upload = await store.createUpload(key, { traits, metadata: { note: 'kept' } })
    await upload.complete([await upload.part(1, text('uploaded'))])
    expect(await traitsOf(context, key)).toStrictEqual(traits)
    expect(await store.head(key)).toMatchObject({ metadata: { note: 'kept' } })
  })

  it('tells the grants alone, and the others from what a GET of a range told', async () => {
    const { store } = context
    const key = `${context.folder()}special`
    const traits = someTraits(context)
    await store.put(key, text('special'), { traits })
    const { info, body } = await store.get(key, { range: { offset: 1, lengthBytes: 2 } })
    for await (const chunk of body) expect(chunk.byteLength).toBeLessThanOrEqual(2)
    const granted = await store.traits(key, { only: 'grants' })
    const others = await store.traits(key, { only: 'others', listed: info })
    expect(withoutDefaults(granted)).toStrictEqual(traits.grants === undefined ? {} : { grants: traits.grants })
    expect(withoutDefaults({ ...others, ...granted })).toStrictEqual(traits)
    expect(others.grants).toBeUndefined()
  })

  it('in brief, tells the class that a listing names, and the grants', async () => {
    const { store } = context
    const folder = context.folder()
    const traits = someTraits(context)
    await store.put(`${folder}special`, text('x'), { traits })
    const { objects } = await store.list({ prefix: folder })
    const { storageClass, grants } = withoutDefaults(
      await store.traits(`${folder}special`, { listed: objects[0], brief: true }),
    )
    expect({ storageClass, grants }).toStrictEqual({ storageClass: traits.storageClass, grants: traits.grants })
  })

  it('says that there is no such object', async ({ skip }) => {
    skip(context.deviates('knows-no-traits'), 'it need not look')
    expect(await kindOf(context.store.traits(`${context.folder()}missing`))).toBe('not-found')
  })

  it('hands all of it on to what is written in the place of the object', async () => {
    const { store } = context
    const key = `${context.folder()}object`
    const traits = someTraits(context)
    await store.put(key, text('old'), { traits })
    await store.put(key, text('new'), { traits: await store.traits(key) })
    expect(await traitsOf(context, key)).toStrictEqual(traits)
    const upload = await store.createUpload(key, { traits: await store.traits(key) })
    await upload.complete([await upload.part(1, text('newer'))])
    expect(await traitsOf(context, key)).toStrictEqual(traits)
    await store.put(key, text('plain'))
    expect(await traitsOf(context, key)).toStrictEqual({})
  })
}

function copyTests(context: SuiteContext): void {
  it('gives a copy what is given with it', async () => {
    const { store } = context
    const folder = context.folder()
    const traits = someTraits(context)
    const bytes = testBytes(10_001)
    await store.put(`${folder}from`, bytes, { traits: withTags(traits, { old: '1', colour: 'blue' }) })
    await store.copy(`${folder}from`, `${folder}to`, { traits })
    expect(await traitsOf(context, `${folder}to`)).toStrictEqual(traits)
    await store.copy(`${folder}from`, `${folder}changed`, { traits, metadata: { note: 'new' } })
    expect(await traitsOf(context, `${folder}changed`)).toStrictEqual(traits)
    expect(await store.head(`${folder}changed`)).toMatchObject({ metadata: { note: 'new' } })
    expect((await contentOf(store, `${folder}changed`)).equals(bytes)).toBe(true)
  })

  it('hands tags on to copies by itself, also where metadata changes', async ({ skip }) => {
    skip(context.deviates('keeps-no-tags'), 'it has none')
    const { store } = context
    const folder = context.folder()
    const from = `${folder}from`
    const tags = { colour: 'red', 'a b+c/ü': '=&% ü:' }
    await store.put(from, text('x'), { traits: { tags } })
    await store.copy(from, `${folder}same`)
    await store.copy(from, `${folder}changed`, { metadata: { note: 'new' } })
    await store.copy(from, from, { metadata: { note: 'new' } })
    for (const key of [`${folder}same`, `${folder}changed`, from])
      expect((await store.traits(key)).tags, key).toStrictEqual(tags)
  })

  it('leaves what came with an object that is changed in place', async () => {
    const { store } = context
    const key = `${context.folder()}object`
    const traits = someTraits(context)
    await store.put(key, text('x'), { traits })
    const { objects } = await store.list({ prefix: key })
    const kept = await store.traits(key, { listed: objects[0], brief: true })
    await store.copy(key, key, { metadata: { note: 'new' }, traits: kept })
    const { encryption: _, ...expected } = traits
    expect(await traitsOf(context, key)).toMatchObject(expected)
  })
}

function withTags(traits: ObjectTraits, tags: Readonly<Record<string, string>>): ObjectTraits {
  return traits.tags === undefined ? traits : { ...traits, tags }
}

function refusalTests(context: SuiteContext): void {
  it('refuses what it would have to lose', async ({ skip }) => {
    skip(context.deviates('knows-no-traits'), 'it has none to lose')
    const { store } = context
    const key = `${context.folder()}object`
    const refused: ObjectTraits[] = [
      ...(context.deviates('keeps-no-storage-class') ? [{ storageClass: 'STANDARD_IA' }] : []),
      ...(context.deviates('keeps-no-encryption') ? [{ encryption: { algorithm: 'aws:kms', keyId: 'key-1' } }] : []),
      ...(context.deviates('keeps-no-tags') ? [{ tags: { colour: 'red' } }] : []),
    ]
    for (const traits of refused) {
      expect(['invalid', 'unsupported'], JSON.stringify(traits)).toContain(
        await kindOf(store.put(key, text('x'), { traits })),
      )
      expect(['invalid', 'unsupported']).toContain(await kindOf(store.createUpload(key, { traits })))
    }
    expect(await kindOf(store.head(key))).toBe('not-found')
  })
}
