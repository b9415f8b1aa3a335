import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BlockMemory } from '../../src/cache/block-memory.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { SharedBuffers, SLAB_BYTES, UNIT_BYTES } from '../../src/cache/shared-buffers.js'
import { discardMemory } from '../../src/system/discard-memory.js'

const MEMORY = 4 * SLAB_BYTES

function setUp(discard: (memory: Uint8Array) => boolean = memory => memory.fill(0) === memory) {
  const budget = new BufferBudget(MEMORY)
  const buffers = new SharedBuffers({ maxBytes: 4 * MEMORY, discard })
  return { budget, buffers, memory: new BlockMemory(budget, buffers) }
}

const size = fc.oneof(
  fc.integer({ min: 1, max: UNIT_BYTES - 1 }),
  fc.constantFrom(UNIT_BYTES, 2 * UNIT_BYTES, SLAB_BYTES / 2, SLAB_BYTES),
  fc.integer({ min: UNIT_BYTES, max: SLAB_BYTES + 10 }),
)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ take: size }) },
  { weight: 3, arbitrary: fc.record({ giveBack: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ others: fc.integer({ min: 0, max: MEMORY }) }) },
)

describe('SharedBuffers', () => {
  it('hands out no byte twice, and counts what is taken', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), steps => {
        const { budget, buffers, memory } = setUp()
        const held: { readonly bytes: Buffer; readonly mark: number }[] = []
        const check = ({ bytes, mark }: (typeof held)[number]) =>
          expect(bytes.equals(Buffer.alloc(bytes.length, mark))).toBe(true)
        for (const [n, what] of steps.entries()) {
          if ('take' in what && memory.missingBytes(memory.costOf(what.take)) === 0) {
            const bytes = memory.take(what.take)
            expect(bytes.length).toBe(what.take)
            const mark = 1 + (n % 250)
            held.push({ bytes: bytes.fill(mark), mark })
          } else if ('giveBack' in what && held.length > 0) {
            const [given] = held.splice(what.giveBack % held.length, 1)
            if (given === undefined) continue
            check(given)
            memory.giveBack(given.bytes)
          } else if ('others' in what) memory.yield(what.others)
          const usedBytes = held.reduce((sum, { bytes }) => sum + memory.costOf(bytes.length), 0)
          expect(memory.usedBytes).toBe(usedBytes)
          expect(budget.takenBytes).toBe(usedBytes + buffers.spareBytes)
          expect(budget.takenBytes).toBeLessThanOrEqual(MEMORY)
        }
        held.forEach(check)
      }),
      { numRuns: 60 },
    )
  })

  it('gives memory that nobody needs back to the system', () => {
    const { buffers, memory } = setUp(discardMemory)
    const first = memory.take(SLAB_BYTES / 2).fill(1)
    const second = memory.take(SLAB_BYTES / 2).fill(2)
    memory.giveBack(first)
    expect(buffers.spareBytes).toBe(SLAB_BYTES / 2)
    memory.yield(SLAB_BYTES)
    expect(buffers.spareBytes).toBe(0)
    // All but what may share a page with the neighbour is gone.
    expect(first.subarray(4096, -4096).every(byte => byte === 0)).toBe(true)
    expect(second.every(byte => byte === 2)).toBe(true)
  })

  it('keeps as spare what the system does not take', () => {
    const { budget, buffers, memory } = setUp(() => false)
    memory.giveBack(memory.take(UNIT_BYTES))
    memory.yield(UNIT_BYTES)
    expect(buffers.spareBytes).toBe(UNIT_BYTES)
    expect(budget.takenBytes).toBe(UNIT_BYTES)
  })

  it('shares no more than it may, and goes on with memory of its own', () => {
    const buffers = new SharedBuffers({ maxBytes: SLAB_BYTES, discard: () => true })
    const { memory: shared } = buffers.take(SLAB_BYTES)
    const { memory: own } = buffers.take(SLAB_BYTES)
    expect([buffers.placeOf(shared), buffers.placeOf(own)]).toEqual([
      { slab: 0, offset: shared.byteOffset, sizeBytes: SLAB_BYTES },
      undefined,
    ])
    expect(buffers.placeOf(shared.subarray(100, 300))).toEqual({
      slab: 0,
      offset: shared.byteOffset + 100,
      sizeBytes: 200,
    })
  })
})
