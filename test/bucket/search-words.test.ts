import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { parseCondition } from '../../src/bucket/search/condition.js'
import { SearchIndex } from '../../src/bucket/search/search-index.js'
import type { SearchQuery } from '../../src/bucket/search/search-query.js'
import { isTextLike, textOf } from '../../src/bucket/search/text-content.js'
import { wordsExpression } from '../../src/bucket/search/words.js'
import { kindOf, text } from '../support/store-tools.js'

const TEXTS: Readonly<Record<string, string>> = {
  'a.txt': 'the quick brown fox',
  'b.txt': 'the slow brown bear',
  'c.txt': 'quick "silver" NEAR the AND river',
}

const METADATA: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a.txt': { runtime: '3', name: 'Thor', size: 'small' },
  'b.txt': { runtime: '10', name: 'loki', '100%': 'x_y' },
  'c.txt': { runtime: 'long' },
}

async function found(query: SearchQuery, nowMs = Date.now()): Promise<string> {
  const store = openMemoryStore('search-words')
  for (const key of Object.keys(TEXTS)) await store.put(key, text(TEXTS[key] ?? ''), { metadata: METADATA[key] ?? {} })
  const index = await SearchIndex.open(store, { nowMs: () => nowMs })
  try {
    await index.update()
    const { hits } = await index.search(query)
    return hits
      .map(hit => hit.key.charAt(0))
      .sort()
      .join('')
  } finally {
    await index.close()
  }
}

describe('words', () => {
  it.each([
    ['quick', 'ac'],
    ['QUICK Brown', 'a'],
    ['"brown bear"', 'b'],
    ['"brown quick"', ''],
    ['bro*', 'ab'],
    ['brown -fox', 'b'],
    ['brown -fox -bear', ''],
    ['brown -"slow brown"', 'a'],
    ['fox OR river', 'ac'],
    ['the fox OR bear', 'ab'],
    ['a.txt', 'a'],
    ['NEAR', 'c'],
    ['NEAR(the', 'c'],
    ['text:quick', ''],
    ['quick AND silver', 'c'],
    ['"unclosed quick', ''],
    ['"quick', 'ac'],
    ['brown ***', 'ab'],
    ['brown OR', 'ab'],
    ["brown'", 'ab'],
    ['brown; DROP TABLE words', ''],
  ])('%s', async (words, keys) => {
    expect(await found({ words })).toBe(keys)
  })

  it('none is an error, not everything', async () => {
    expect(wordsExpression(' -fox')).toBeUndefined()
    expect(await kindOf(found({ words: '-fox' }))).toBe('invalid')
    expect(await kindOf(found({ words: '***' }))).toBe('invalid')
    expect(await found({ words: ' ' })).toBe('abc')
  })
})

describe('conditions', () => {
  const day = new Date().toISOString().slice(0, 10)
  it.each([
    ['name=Thor', 'a'],
    ['name = Thor', 'a'],
    ['NAME=Thor', 'a'],
    ['name=thor', ''],
    ['name~thor', 'a'],
    ['name!=Thor', 'bc'],
    ['name', 'ab'],
    ['runtime>=3', 'ab'],
    ['runtime>3', 'b'],
    ['runtime=3.0', 'a'],
    ['runtime<10', 'a'],
    ['runtime=long', 'c'],
    ['runtime~1', 'b'],
    ['100%~_', 'b'],
    ['100%~%', ''],
    ['meta.size=small', 'a'],
    ['size>19', 'c'],
    ['size>=19', 'abc'],
    ['size<1K', 'abc'],
    ['size>0.5KiB', ''],
    ['key>=b', 'bc'],
    ['key~.TXT', 'abc'],
    ['type=text/plain', ''],
    ['type!=text/plain', 'abc'],
    [`mtime=${day}`, 'abc'],
    [`mtime!=${day}`, ''],
    [`mtime>${day}`, ''],
    [`mtime>=${day}`, 'abc'],
    ['mtime<2024', ''],
    ['mtime>2024-02', 'abc'],
    ['mtime>2024-02-28T12:00Z', 'abc'],
    ['mtime>-1h', 'abc'],
    ['mtime<-1h', ''],
  ])('%s', async (condition, keys) => {
    expect(await found({ where: [condition] })).toBe(keys)
  })

  it('all of several must hold, with words too', async () => {
    expect(await found({ where: ['runtime>=3', 'name=loki'] })).toBe('b')
    expect(await found({ words: 'brown', where: ['runtime<5'] })).toBe('a')
  })

  it.each(['', '=x', 'size>big', 'size~1', 'mtime>yesterday', 'mtime=2024-13', 'mtime>-3x'])(
    'not understood: %s',
    async condition => {
      expect(await kindOf(found({ where: [condition] }))).toBe('invalid')
    },
  )

  it('are read in parts', () => {
    expect(parseCondition('a b>=c=d')).toEqual({ name: 'a b', operator: '>=', value: 'c=d' })
    expect(parseCondition('name=')).toEqual({ name: 'name', operator: '=', value: '' })
  })
})

describe('what is text', () => {
  it.each([
    ['a', 'text/plain', true],
    ['a', 'Application/JSON; charset=utf-8', true],
    ['a', 'application/ld+json', true],
    ['a', 'image/svg+xml', true],
    ['a.txt', 'image/png', false],
    ['a.txt', 'application/octet-stream', true],
    ['a.yaml', undefined, true],
    ['a.md', 'binary/octet-stream', true],
    ['a.png', undefined, false],
    ['a', undefined, false],
    ['a.gz', 'application/gzip', false],
  ])('%s of type %s: %s', (key, type, isText) => {
    expect(isTextLike(key, type)).toBe(isText)
  })

  it('compressed contents are none', () => {
    expect(isTextLike('a.txt', 'text/plain', 'gzip')).toBe(false)
    expect(isTextLike('a.txt', 'text/plain', 'identity')).toBe(true)
  })

  it('bytes with zeros are none, UTF-16 with a mark is, a character cut in two is left out', () => {
    expect(textOf(Buffer.from('a\0b'), false)).toBe('')
    expect(textOf(Buffer.from('\uFEFFThor', 'utf16le'), false)).toBe('Thor')
    expect(textOf(Buffer.from('é').subarray(0, 1), true)).toBe('')
  })
})
