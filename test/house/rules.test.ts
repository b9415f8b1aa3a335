import { expect, it } from 'vitest'
import { type SourceFile, sourceFiles } from './sources.js'

const files = sourceFiles()
const MAX_LINES = 400

function pathsOf(isOffender: (file: SourceFile) => boolean): readonly string[] {
  return files.filter(isOffender).map(file => file.path)
}

it('there are files to look at', () => {
  expect(files.length).toBeGreaterThan(20)
})

it(`no file has more than ${MAX_LINES} lines`, () => {
  expect(pathsOf(file => file.text.trimEnd().split('\n').length > MAX_LINES)).toEqual([])
})

it('only src/config reads or writes the environment', () => {
  expect(pathsOf(file => /\bprocess\.env\b/.test(file.text) && !file.path.startsWith('config/'))).toEqual([])
})

it('only src/fuse names /dev/fuse', () => {
  const code = (file: SourceFile) => file.text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '')
  expect(pathsOf(file => code(file).includes('/dev/fuse') && !file.path.startsWith('fuse/'))).toEqual([])
})

it('nothing is left for later', () => {
  expect(pathsOf(file => /\b(TODO|FIXME|XXX)\b/.test(file.text))).toEqual([])
})
