import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ObjectVersion } from '../../src/backend/object-store.js'
import { type PlanLimits, planParts } from '../../src/fs/part-plan.js'
import type { Piece } from '../../src/fs/pieces.js'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const TIB = 1024 ** 4

const S3: PlanLimits = {
  minPartBytes: 5 * MIB,
  maxPartBytes: 5 * GIB,
  maxParts: 10_000,
  maxCopyBytes: 5 * GIB,
  sendBytes: 8 * MIB,
  copyBytes: 512 * MIB,
}

function version(key: string, sizeBytes: number): ObjectVersion {
  return { key, sizeBytes, etag: `etag of ${key}`, lastModifiedMs: 0 }
}

/** Pieces of these lengths, one behind the other; remote ones at their own place in an object, or `shift` further on. */
function laidOut(given: readonly { kind: Piece['kind']; length: number; key?: string; shift?: number }[]): Piece[] {
  let start = 0
  return given.map(({ kind, length, key = 'base', shift = 0 }): Piece => {
    const range = { start, end: start + length }
    start += length
    return kind === 'remote'
      ? { kind, ...range, version: version(key, 10 * TIB), offset: range.start + shift }
      : { kind, ...range }
  })
}

function sentBytes(parts: ReturnType<typeof planParts>): number {
  return parts.reduce((sum, part) => sum + (part.kind === 'send' ? part.end - part.start : 0), 0)
}

describe('planParts', () => {
  it('keeps every bound, covers the file once and in order, and sends little more than what is new', () => {
    const piece = fc.record({
      kind: fc.constantFrom<Piece['kind']>('remote', 'remote', 'local', 'zero'),
      length: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 300 })),
      key: fc.constantFrom('base', 'other'),
      shift: fc.constantFrom(0, 7),
    })
    const limits = fc.record({
      minPartBytes: fc.integer({ min: 1, max: 10 }),
      maxPartBytes: fc.integer({ min: 50, max: 90 }),
      maxParts: fc.constantFrom(150, 10_000),
      maxCopyBytes: fc.constantFrom(0, 40, 90),
      sendBytes: fc.integer({ min: 10, max: 40 }),
      copyBytes: fc.integer({ min: 10, max: 90 }),
    })
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 25 }).map(laidOut), limits, (pieces, bounds) => {
        const parts = planParts(pieces, bounds)
        const end = pieces.at(-1)?.end ?? 0
        expect(parts.length).toBeLessThanOrEqual(bounds.maxParts)
        expect(parts[0]?.start).toBe(0)
        expect(parts.at(-1)?.end).toBe(end)
        for (const [i, part] of parts.entries()) {
          const length = part.end - part.start
          const next = parts[i + 1]
          if (next !== undefined) {
            expect(next.start).toBe(part.end)
            expect(length).toBeGreaterThanOrEqual(bounds.minPartBytes)
          }
          expect(length).toBeGreaterThan(0)
          expect(length).toBeLessThanOrEqual(bounds.maxPartBytes)
          if (part.kind === 'send') continue
          expect(length).toBeLessThanOrEqual(bounds.maxCopyBytes)
          // Every byte of it is one that the pieces say is there in the object.
          const of = pieces.filter(one => one.end > part.start && one.start < part.end)
          for (const one of of) {
            expect(one).toMatchObject({ kind: 'remote', version: { key: part.version.key } })
            if (one.kind === 'remote') expect(one.offset - one.start).toBe(part.offset - part.start)
          }
        }
        const mustBeSent = pieces.filter(one => one.kind !== 'remote' || bounds.maxCopyBytes === 0)
        const dirtyBytes = mustBeSent.reduce((sum, one) => sum + one.end - one.start, 0)
        // Where the parts are few enough without coarser ones: pieces too small to copy and what fills parts up.
        if (parts.length < 100 && bounds.maxParts > 1000)
          expect(sentBytes(parts)).toBeLessThanOrEqual(dirtyBytes + 3 * bounds.minPartBytes * pieces.length)
      }),
      { numRuns: 500 },
    )
  }, 60_000)

  it('sends one least part for a small edit, and copies what is before and behind it', () => {
    const pieces = laidOut([
      { kind: 'remote', length: 128 * MIB },
      { kind: 'local', length: 4096 },
      { kind: 'remote', length: 128 * MIB - 4096 },
    ])
    const parts = planParts(pieces, S3)
    expect(parts.map(part => part.kind)).toEqual(['copy', 'send', 'copy'])
    expect(sentBytes(parts)).toBe(5 * MIB)
  })

  it('sends only the tail of an append', () => {
    const pieces = laidOut([
      { kind: 'remote', length: 256 * MIB },
      { kind: 'local', length: 1000 },
    ])
    expect(sentBytes(planParts(pieces, S3))).toBe(1000)
  })

  it('takes from the side that has something to give', () => {
    const pieces = laidOut([
      { kind: 'remote', length: 100 * MIB },
      { kind: 'local', length: 4096 },
      { kind: 'remote', length: 3 * MIB },
    ])
    const parts = planParts(pieces, S3)
    expect(parts.map(part => part.kind)).toEqual(['copy', 'send'])
    expect(sentBytes(parts)).toBe(3 * MIB + 4096)
  })

  it('copies an object over 5 GiB in parts that no server refuses, and 40 TiB in 10,000 parts', () => {
    const large = planParts(
      laidOut([
        { kind: 'remote', length: 12 * GIB },
        { kind: 'local', length: 1 },
      ]),
      S3,
    )
    expect(large.length).toBe(25)
    const pieces = laidOut([
      { kind: 'local', length: 5 * TIB },
      { kind: 'remote', length: 35 * TIB },
    ])
    const huge = planParts(pieces, S3)
    expect(huge.length).toBeLessThanOrEqual(10_000)
    expect(Math.max(...huge.map(part => part.end - part.start))).toBeLessThanOrEqual(5 * GIB)
  })

  it('puts scattered edits together when they would be more parts than an upload may have', () => {
    const edits = Array.from({ length: 20_000 }, () => [
      { kind: 'remote' as const, length: 11 * MIB },
      { kind: 'local' as const, length: 4096 },
    ])
    expect(planParts(laidOut(edits.flat()), S3).length).toBeLessThanOrEqual(10_000)
  })

  it('copies nothing of an object that is no larger than the least part', () => {
    const pieces = [
      { kind: 'local' as const, start: 0, end: 20 * MIB },
      { kind: 'remote' as const, start: 20 * MIB, end: 25 * MIB, version: version('least', 5 * MIB), offset: 0 },
    ]
    expect(planParts(pieces, S3).every(part => part.kind === 'send')).toBe(true)
  })

  it('refuses what no upload can hold', () => {
    expect(() => planParts(laidOut([{ kind: 'local', length: 60 * TIB }]), S3)).toThrow('EFBIG')
  })
})
