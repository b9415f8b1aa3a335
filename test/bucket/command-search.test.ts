import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../../src/backend/registry.js'
import type { SearchResult } from '../../src/bucket/search/search-query.js'
import { openBucket } from '../../src/index.js'
import { type BucketCommand, commandStores } from '../support/bucket-command.js'
import { text } from '../support/store-tools.js'

describe.each(await commandStores())('bucket search on %s', (_, open) => {
  let bucket: BucketCommand
  const search = (...words: readonly string[]) =>
    bucket.run(['search', ...words, '--index-dir', join(bucket.folder, '.index')])
  const found = async (...words: readonly string[]): Promise<unknown> => {
    const { exitCode, stdout, stderr } = await search(...words, '--json')
    expect([exitCode, stderr]).toEqual([0, ''])
    return (JSON.parse(stdout) as SearchResult).hits.map(hit => hit.key)
  }

  beforeAll(async () => {
    bucket = await open()
    const { server } = bucket
    const s3 = server && { endpoint: server.endpoint, credentials: server.credentials }
    const store = await openStore(bucket.url, { s3 })
    await store.put('sagas/thor.md', text('Thor and\nLoki \x1b[31mtravel\x1b[0m to Utgard'))
    await store.put('data/one', text('x'), { metadata: { name: 'thor', runtime: '12' } })
    await store.put('data/two', text('xx'), { metadata: { name: 'loki', runtime: '3' } })
    await store.close()
  })

  afterAll(() => bucket?.dispose())

  it('shows where the words are, without what a terminal would obey', async () => {
    const { stdout, exitCode, stderr } = await search('thor')
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout.split('\n')).toEqual([
      'sagas/thor.md',
      '    Thor and Loki �[31mtravel�[0m to Utgard',
      'data/one',
      '    name: thor runtime: 12',
    ])
    expect((await search('thor', '--keys-only')).stdout).toBe('sagas/thor.md\ndata/one')
  })

  it('by conditions, prefix and field', async () => {
    expect(await found('--meta', 'name=thor')).toEqual(['data/one'])
    expect(await found('--meta', 'runtime>=3', '--meta', 'size<2')).toEqual(['data/one'])
    expect(await found('--meta', 'mtime>-1d', '--prefix', 'data/')).toEqual(['data/one', 'data/two'])
    expect(await found('thor', '--in', 'metadata,text', '--meta', 'key~THOR')).toEqual(['sagas/thor.md'])
    expect(await found('nowhere')).toEqual([])
    expect(await found('"loki travel"')).toEqual([])
  })

  it('JSON with places, and a line that tells of more', async () => {
    const { stdout, stderr } = await search('thor', '--json', '--limit', '1')
    expect(stderr).toBe('...Results are truncated (2 in all)...')
    expect(JSON.parse(stdout)).toMatchObject({
      hits: [{ key: 'sagas/thor.md', highlights: { key: { text: 'sagas/thor.md', ranges: [{ start: 6, end: 10 }] } } }],
      total: 2,
      truncated: true,
    })
  })

  it('an object put afterwards is found, one that was removed is not; not so with --no-update', async () => {
    const reached = { endpoint: bucket.server?.endpoint ?? '', region: 'us-east-1' }
    const library = await openBucket(bucket.url, bucket.server === undefined ? {} : reached)
    const indexFolder = join(bucket.folder, '.index')
    const keysOf = async (update: boolean) => {
      const { hits } = await library.search('midgard', { indexFolder, update })
      return hits.map(hit => hit.key)
    }
    expect((await search('midgard', '--no-update')).stdout).toBe('')
    const s3 = bucket.server && { endpoint: bucket.server.endpoint, credentials: bucket.server.credentials }
    const store = await openStore(bucket.url, { s3 })
    await store.put('midgard', text(''))
    expect((await search('midgard', '--no-update')).stdout).toBe('')
    expect(await found('midgard')).toEqual(['midgard'])
    await store.delete([{ key: 'midgard' }])
    expect(await found('midgard')).toEqual([])
    await store.close()
    expect(await keysOf(false)).toEqual([])
    await library.close()
  })

  it('says what it can not understand', async () => {
    for (const [words, message] of [
      [['***'], /no word to look for/],
      [['--meta', 'size>big'], /not a condition: size>big/],
      [['x', '--in', 'body'], /--in/],
      [['x', '--text-size', 'much'], /--text-size/],
      [['x', '--limit', '0'], /--limit/],
    ] as const) {
      const { exitCode, stderr } = await search(...words)
      expect(exitCode).toBe(2)
      expect(stderr.split('\n')[0]).toMatch(message)
    }
  })

  it('asks for a whole index, and makes one anew where its folder was removed', async () => {
    await rm(join(bucket.folder, '.index'), { recursive: true })
    const { exitCode, stderr } = await search('thor', '--no-update')
    expect([exitCode, stderr]).toEqual([0, 'bucket: the index is not complete yet: search without --no-update'])
    expect(await found('thor', '--progress', 'never')).toEqual(['sagas/thor.md', 'data/one'])
    expect(await readdir(join(bucket.folder, '.index'))).toContain('index-0.db')
  })
})
