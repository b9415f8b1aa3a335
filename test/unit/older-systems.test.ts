import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Bucket } from '../../src/bucket/bucket.js'
import { Buckets } from '../../src/bucket/buckets.js'
import { COMMANDS } from '../../src/cli/bucket/commands.js'

const root = new URL('../../', import.meta.url)
const table = readFileSync(new URL('doc/OLDER-SYSTEMS.md', root), 'utf8')

/** What the first group of a pattern finds in the table, each once. */
function found(pattern: RegExp): readonly string[] {
  const names = new Set([...table.matchAll(pattern)].map(match => match[1] ?? ''))
  expect(names.size).toBeGreaterThan(3)
  return [...names]
}

/** `queue` is made by the constructor. */
const OWN = ['queue']

describe('the table of the older systems', () => {
  it('names commands that there are', () => {
    const names = new Set(COMMANDS.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias])))
    expect(found(/`bucket ([a-z][a-z-]*)[ `]/g).filter(name => !names.has(name))).toEqual([])
  })

  it('names calls that there are', () => {
    expect(found(/`bucket\.([a-zA-Z]+)/g).filter(name => !(name in Bucket.prototype) && !OWN.includes(name))).toEqual(
      [],
    )
    expect(found(/`Buckets\.([a-zA-Z]+)/g).filter(name => !(name in Buckets.prototype))).toEqual([])
  })

  it('names tests that there are', () => {
    const paths = found(/\b((?:bucket|stores|unit|mount)\/[a-z0-9-]+\.(?:test|suite)\.ts)/g)
    expect(paths.filter(path => !existsSync(new URL(`test/${path}`, root)))).toEqual([])
  })
})
