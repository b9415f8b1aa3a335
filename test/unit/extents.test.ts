import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PartSizes } from '../../src/backend/part-sizes.js'
import { Extents } from '../../src/fs/extents.js'

const SPACE = 64
const range = fc.tuple(fc.nat(SPACE), fc.nat(SPACE)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)

describe('Extents', () => {
  it('behaves as a set of bytes', () => {
    const command = fc.record({ kind: fc.constantFrom('add', 'remove'), range })
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), range, (commands, [from, to]) => {
        const extents = new Extents()
        const bytes = new Set<number>()
        for (const { kind, range: changed } of commands) {
          const [start, end] = changed
          if (kind === 'add') extents.add(start, end)
          else extents.remove(start, end)
          for (let i = start; i < end; i++) kind === 'add' ? bytes.add(i) : bytes.delete(i)
        }
        expect(extents.totalBytes).toBe(bytes.size)
        for (const [i, one] of extents.ranges.entries()) {
          expect(one.end).toBeGreaterThan(one.start)
          expect(one.start).toBeGreaterThan(extents.ranges[i - 1]?.end ?? -1)
        }
        const asked = Array.from({ length: to - from }, (_, i) => from + i)
        expect(extents.covers(from, to)).toBe(asked.every(byte => bytes.has(byte)))
        expect(extents.overlaps(from, to)).toBe(asked.some(byte => bytes.has(byte)))
        const pieces = extents.split(from, to)
        expect(
          pieces.flatMap(p => Array.from({ length: p.end - p.start }, (_, i) => [p.start + i, p.isInside])),
        ).toEqual(asked.map(byte => [byte, bytes.has(byte)]))
      }),
    )
  })
})

describe('PartSizes', () => {
  const MIB = 1024 ** 2
  it('puts 5 TiB into less than 10,000 parts of which none is below the first', () => {
    expect(new PartSizes(8 * MIB).at(5 * 1024 ** 4 - 1)).toBeLessThan(10_000)
    expect(new PartSizes(5 * MIB).at(5 * 1024 ** 4 - 1)).toBeLessThan(10_000)
  })

  it('knows for every byte the part that holds it', () => {
    const sizes = new PartSizes(8 * MIB)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9999 }), number => {
        expect(sizes.startOf(number + 1)).toBe(sizes.startOf(number) + sizes.sizeOf(number))
        expect(sizes.at(sizes.startOf(number))).toBe(number)
        expect(sizes.at(sizes.startOf(number + 1) - 1)).toBe(number)
      }),
    )
  })
})
