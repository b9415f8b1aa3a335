import { describe, expect, it } from 'vitest'
import type { ConditionSupport, WriteConditions, WriteResult } from '../../../src/backend/object-store.js'
import { contentOf, kindOf, text } from '../../support/store-tools.js'
import type { SuiteContext } from './suite-context.js'

type ConditionalOperation = 'put' | 'complete' | 'copy'

/** Writes `content` to `key` on a condition, by each of the operations that can. */
const WRITERS: Record<
  ConditionalOperation,
  (context: SuiteContext, key: string, content: string, conditions: WriteConditions) => Promise<WriteResult>
> = {
  put: ({ store }, key, content, conditions) => store.put(key, text(content), conditions),
  complete: async ({ store }, key, content, conditions) => {
    const upload = await store.createUpload(key)
    const part = await upload.part(1, text(content))
    try {
      return await upload.complete([part], conditions)
    } finally {
      await upload.abort()
    }
  },
  copy: async ({ store }, key, content, conditions) => {
    await store.put(`${key} source ${content}`, text(content))
    return store.copy(`${key} source ${content}`, key, conditions)
  },
}

/** If-Match and If-None-Match on every operation that takes them. */
export function conditionTests(context: SuiteContext): void {
  for (const operation of ['put', 'complete', 'copy'] as const)
    describe(`on ${operation}`, () => writeTests(context, operation))
  describe('on delete', () => deleteTests(context))
}

function expectedSupport(context: SuiteContext, operation: ConditionalOperation | 'delete'): ConditionSupport {
  if (context.deviates(`${operation}-conditions-checked`)) return 'checked'
  return context.deviates(`${operation}-conditions-unsupported`) ? 'none' : 'atomic'
}

function writeTests(context: SuiteContext, operation: ConditionalOperation): void {
  const support = expectedSupport(context, operation)
  const write = (key: string, content: string, conditions: WriteConditions) =>
    WRITERS[operation](context, key, content, conditions)

  it('declares them as they are', async () => {
    const key = `${context.folder()}object`
    const kind = await kindOf(write(key, 'x', { ifNoneMatch: '*' }))
    expect(kind).toBe(support === 'none' ? 'unsupported' : 'resolved')
    expect(context.store.capabilities.conditions[operation]).toBe(support)
  })

  it('creates only what does not exist', async ({ skip }) => {
    skip(support === 'none', 'unsupported')
    const key = `${context.folder()}object`
    await write(key, 'first', { ifNoneMatch: '*' })
    expect(await kindOf(write(key, 'second', { ifNoneMatch: '*' }))).toBe('precondition-failed')
    expect((await contentOf(context.store, key)).toString()).toBe('first')
    await context.store.delete([{ key }])
    await write(key, 'third', { ifNoneMatch: '*' })
    expect((await contentOf(context.store, key)).toString()).toBe('third')
  })

  it('replaces only the version that is named', async ({ skip }) => {
    skip(support === 'none', 'unsupported')
    const key = `${context.folder()}object`
    const { etag: old } = await context.store.put(key, text('old'))
    await write(key, 'new', { ifMatch: old })
    expect(await kindOf(write(key, 'newer', { ifMatch: old }))).toBe('precondition-failed')
    expect((await contentOf(context.store, key)).toString()).toBe('new')
    expect(await kindOf(write(`${key} missing`, 'x', { ifMatch: old }))).toBe('precondition-failed')
    expect(await kindOf(context.store.head(`${key} missing`))).toBe('not-found')
  })

  it('lets exactly one of 20 racing creators win', async ({ skip }) => {
    skip(support !== 'atomic', 'not atomic')
    const key = `${context.folder()}object`
    await race(context, key, n => write(key, `creator ${n}`, { ifNoneMatch: '*' }), 'creator')
  })

  it('lets exactly one of 10 racing writers replace a version', async ({ skip }) => {
    skip(support !== 'atomic', 'not atomic')
    const key = `${context.folder()}object`
    const { etag } = await context.store.put(key, text('old'))
    await race(context, key, n => write(key, `writer ${n}`, { ifMatch: etag }), 'writer', 10)
  })
}

async function race(
  context: SuiteContext,
  key: string,
  write: (n: number) => Promise<WriteResult>,
  who: string,
  width = 20,
): Promise<void> {
  const kinds = await Promise.all(Array.from({ length: width }, (_, n) => kindOf(write(n))))
  const mayFail = context.deviates('losers-of-a-race-may-fail')
  const told = kinds.map(kind => (mayFail && kind === 'unavailable' ? 'precondition-failed' : kind))
  expect(told.toSorted()).toStrictEqual([...new Array<string>(width - 1).fill('precondition-failed'), 'resolved'])
  expect((await contentOf(context.store, key)).toString()).toBe(`${who} ${kinds.indexOf('resolved')}`)
}

function deleteTests(context: SuiteContext): void {
  const support = expectedSupport(context, 'delete')

  it('deletes only the version that is named', async () => {
    const folder = context.folder()
    const { etag: old } = await context.store.put(`${folder}changed`, text('old'))
    await context.store.put(`${folder}changed`, text('new'))
    const { etag } = await context.store.put(`${folder}same`, text('same'))
    const results = await context.store.delete([
      { key: `${folder}changed`, ifMatch: old },
      { key: `${folder}same`, ifMatch: etag },
    ])
    const [changed, same] = results.map(result => result.error?.kind)
    expect(changed).toBe(support === 'none' ? 'unsupported' : 'precondition-failed')
    expect(same).toBe(support === 'none' ? 'unsupported' : undefined)
    expect(context.store.capabilities.conditions.delete).toBe(support)
    expect((await contentOf(context.store, `${folder}changed`)).toString()).toBe('new')
    expect(await kindOf(context.store.head(`${folder}same`))).toBe(support === 'none' ? 'resolved' : 'not-found')
  })
}
