import { describe, expect, it } from 'vitest'
import { importsOf, type SourceFile, sourceFiles } from './sources.js'

/** What each room may import of the others (design of the house: imports point one way). */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  system: [],
  config: [],
  backend: ['system'],
  cache: ['system', 'backend'],
  fs: ['system', 'backend', 'cache'],
  fuse: ['system', 'backend', 'cache', 'fs'],
  bucket: ['backend'],
  compose: ['system', 'backend', 'bucket', 'config'],
  'compose.ts': ['system', 'backend', 'cache', 'fs', 'fuse', 'config', 'compose'],
  'index.ts': ['backend', 'bucket', 'compose', 'compose.ts'],
  cli: ['system', 'backend', 'cache', 'fs', 'fuse', 'bucket', 'config', 'compose', 'compose.ts'],
}

const files = sourceFiles()

function roomOf(path: string): string {
  return path.split('/')[0] ?? path
}

function isOurs(imported: string): boolean {
  return imported.endsWith('.ts')
}

function violations(isAllowed: (file: SourceFile, imported: string) => boolean): readonly string[] {
  return files.flatMap(file =>
    file.imports.filter(imported => !isAllowed(file, imported)).map(imported => `${file.path} imports ${imported}`),
  )
}

describe('imports', () => {
  it('are found in every form', () => {
    const text = `
      import { a } from './a.js'
      import type { B } from "../b/b.js"
      import './c.js'
      export * from './d.js'
      const e = await import('./e.js')
      const f = require('koffi')
      const g = createRequire(import.meta.url)('koffi')
      const h = new URL('./h-worker.js', import.meta.url)
      import {
        i,
      } from 'node:fs'
      // import './comment.js'
      /* import './comment.js' */
    `
    expect(importsOf('x/y.ts', text).toSorted()).toEqual([
      'b/b.ts',
      'koffi',
      'koffi',
      'node:fs',
      'x/a.ts',
      'x/c.ts',
      'x/d.ts',
      'x/e.ts',
      'x/h-worker.ts',
    ])
  })

  it('name rooms that are known', () => {
    expect([...new Set(files.map(file => roomOf(file.path)))].filter(room => MAY_IMPORT[room] === undefined)).toEqual(
      [],
    )
  })

  it('point one way', () => {
    const isAllowed = (file: SourceFile, imported: string) => {
      if (!isOurs(imported)) return true
      const [from, to] = [roomOf(file.path), roomOf(imported)]
      return from === to || MAY_IMPORT[from]?.includes(to) === true
    }
    expect(violations(isAllowed)).toEqual([])
  })

  it.each([
    ['koffi', /^koffi$/, /^system\//],
    ['fuse-native', /^fuse-native$/, /^fuse\//],
    ["the SDK's packages", /^@(aws-sdk|smithy|aws-crypto)\//, /^backend\/s3\//],
    ['the engine of search', /^@photostructure\/sqlite$/, /^bucket\/search\//],
    ['commander', /^commander$/, /^cli\//],
    ['yaml', /^yaml$/, /^(config|bucket)\//],
  ])('of %s stand in one folder only', (_, imports, place) => {
    expect(violations((file, imported) => !imports.test(imported) || place.test(file.path))).toEqual([])
  })
})
