import type { Site } from './site.js'

/** One thing that must work. */
export interface Step {
  readonly title: string
  /** Resolves with the figures for the report; rejects where it does not work. */
  readonly run: (site: Site) => Promise<string>
}

/** Throws unless what a program gave is what it must be. */
export function expectEqual(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: ${String(found)} instead of ${String(expected)}`)
}

export function expectText(what: string, found: string, expected: string): void {
  if (!found.includes(expected)) throw new Error(`${what}: ${found.slice(-500)} does not tell of ${expected}`)
}

export interface Timed<T> {
  readonly value: T
  readonly seconds: number
}

export async function timed<T>(task: () => Promise<T>): Promise<Timed<T>> {
  const startMs = performance.now()
  const value = await task()
  return { value, seconds: (performance.now() - startMs) / 1000 }
}

export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`
}

export function formatMebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
