import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const SOURCE_FOLDER = join(import.meta.dirname, '../../src')

export interface SourceFile {
  /** From src/, with slashes: `fuse/mount.ts`. */
  readonly path: string
  readonly text: string
  /** What it imports: paths from src/ for our own files, names for packages. */
  readonly imports: readonly string[]
}

/** Every TypeScript file below src/. */
export function sourceFiles(): readonly SourceFile[] {
  return readdirSync(SOURCE_FOLDER, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => {
      const text = readFileSync(join(SOURCE_FOLDER, path), 'utf8')
      return { path, text, imports: importsOf(path, text) }
    })
}

/** Static, dynamic and type imports, re-exports, `require` and `new URL(..., import.meta.url)`. */
export function importsOf(path: string, text: string): readonly string[] {
  const code = withoutComments(text)
  const patterns = [
    /\b(?:from|import)\s*\(?\s*(['"`])([^'"`]+)\1/g,
    /\brequire\s*\(\s*(['"`])([^'"`]+)\1/g,
    /\bcreateRequire\([^)]*\)\s*\(\s*(['"`])([^'"`]+)\1/g,
    /\bnew URL\(\s*(['"`])(\.[^'"`]+\.js)\1\s*,\s*import\.meta\.url/g,
  ]
  return patterns.flatMap(pattern => [...code.matchAll(pattern)].map(match => locate(path, match[2] ?? '')))
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}

function locate(path: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier
  return relative(SOURCE_FOLDER, join(SOURCE_FOLDER, dirname(path), specifier)).replace(/\.js$/, '.ts')
}
