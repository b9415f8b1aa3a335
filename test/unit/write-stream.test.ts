import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { pattern } from '../support/bytes.js'
import { endsWithTest } from '../support/ends-with-test.js'
import type { Harness } from '../support/filesystem-harness.js'
import { GatedStore } from '../support/gated-store.js'
import { gated, PART, storedBytes, writeAll } from '../support/small-parts.js'
import { WriterHarness } from '../support/writer-harness.js'

/** How many parts the harness sends at once. */
const AT_ONCE = 3

/** Memory as a transport lends it: other bytes stand in it as soon as nobody holds it. */
class LentMemory {
  holds = 0
  readonly #used: Buffer[] = []

  async write(h: Harness, handle: number, offset: number, bytes: Uint8Array): Promise<void> {
    const memory = Buffer.from(bytes)
    let users = 0
    const hold = () => {
      users += 1
      this.holds += 1
      return () => {
        users -= 1
        this.holds -= 1
        if (users === 0) memory.fill(0xee)
      }
    }
    const endCall = hold()
    const options = { fromPageCache: false, killPrivileges: false, hold }
    await h.filesystem.write(handle, offset, memory, options, h.context())
    endCall()
    this.#used.push(memory)
  }

  /** Everybody has let go of everything. */
  get isFree(): boolean {
    return this.holds === 0 && this.#used.every(memory => memory.every(byte => byte === 0xee))
  }
}

describe('a file that is streamed from lent memory', () => {
  it('is read, patched and stored as it was written, and nothing stays held', async () => {
    const write = fc.record({ size: fc.integer({ min: 1, max: 2 * PART }), isLent: fc.boolean() })
    const patch = fc.record({ at: fc.nat({ max: 4 * PART }), size: fc.integer({ min: 1, max: PART }) })
    const steps = fc.array(fc.oneof({ weight: 4, arbitrary: write }, patch), { minLength: 3, maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(1e9, 3 * PART, 0), async (made, maxStagingBytes) => {
        const { h } = await gated({ maxStagingBytes })
        const { handle } = await h.create('f')
        const memory = new LentMemory()
        let expected = Buffer.alloc(0)
        for (const [index, step] of made.entries()) {
          const bytes = pattern(step.size, index)
          if ('at' in step) {
            if (maxStagingBytes < 1e9 || step.at + step.size > expected.length) continue
            await memory.write(h, handle, step.at, bytes)
            bytes.copy(expected, step.at)
          } else {
            if (step.isLent) await memory.write(h, handle, expected.length, bytes)
            else await h.write(handle, expected.length, bytes)
            expected = Buffer.concat([expected, bytes])
          }
          if (maxStagingBytes < 1e9) continue
          const from = Math.max(0, expected.length - 2 * PART)
          expect((await h.read(handle, from, 2 * PART)).equals(expected.subarray(from))).toBe(true)
        }
        await h.closeFile(handle)
        expect((await storedBytes(h, 'f')).equals(expected)).toBe(true)
        await expect.poll(() => memory.isFree).toBe(true)
      }),
      { numRuns: 60 },
    )
  })
})

describe('the parts of a streamed file', () => {
  it('are filled while others are under way, and the writer waits before there is one more', async () => {
    const { h, store } = await gated()
    const gates = Array.from({ length: AT_ONCE }, () => store.hold('part', 'before'))
    const { handle } = await h.create('f')
    const bytes = pattern((AT_ONCE + 1) * PART)
    await writeAll(h, handle, bytes.subarray(0, bytes.length - 1))
    let isTaken = false
    const last = h.write(handle, bytes.length - 1, bytes.subarray(-1)).then(() => {
      isTaken = true
    })
    await Promise.all(gates.map(gate => gate.reached))
    expect(isTaken).toBe(false)
    gates[1]?.open()
    await last
    for (const gate of gates) gate.open()
    await h.closeFile(handle)
    expect((await storedBytes(h, 'f')).equals(bytes)).toBe(true)
  })

  it('go on to the store at the close without waiting for each other', async () => {
    const { h, store } = await gated()
    const gates = Array.from({ length: AT_ONCE }, () => store.hold('part', 'before'))
    const rest = store.hold('part', 'before')
    const { handle } = await h.create('f')
    const bytes = pattern(AT_ONCE * PART + 1000)
    await writeAll(h, handle, bytes)
    const closed = h.closeFile(handle)
    gates[1]?.open()
    await rest.reached
    for (const gate of [...gates, rest]) gate.open()
    await closed
    expect((await storedBytes(h, 'f')).equals(bytes)).toBe(true)
  })
})

describe('the memory of a streamed file', () => {
  it('is free when its parts are of no use any more, though the store does not answer', async () => {
    const store = new GatedStore(openMemoryStore('memory-of-a-stream', { minPartBytes: PART }))
    const h = endsWithTest(await WriterHarness.open(store, { partBytes: PART }))
    const writer = await h.writer('f')
    await writer.write(0, pattern(1.5 * PART))
    expect(h.services.budget.takenBytes).toBeGreaterThan(0)
    const abort = store.hold('abort', 'before')
    writer.moved(undefined, false)
    await abort.reached
    await expect.poll(() => h.services.budget.takenBytes).toBe(0)
    abort.open()
    await writer.close(undefined)
  })
})

describe('files that are streamed at the same time', () => {
  it('are each stored as they were written, however little memory they share', async () => {
    const writes = fc.array(fc.integer({ min: 1, max: PART + 1000 }), { minLength: 2, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(writes, { minLength: 2, maxLength: 3 }),
        fc.integer({ min: 0, max: 8 }),
        async (files, parts) => {
          const { h } = await gated({ writeMemoryBytes: parts * PART })
          const write = async (sizes: readonly number[], index: number) => {
            const { handle } = await h.create(`f${index}`)
            let written = Buffer.alloc(0)
            for (const [n, size] of sizes.entries()) {
              const bytes = pattern(size, 10 * index + n)
              await new LentMemory().write(h, handle, written.length, bytes)
              written = Buffer.concat([written, bytes])
            }
            await h.closeFile(handle)
            return written
          }
          const written = await Promise.all(files.map(write))
          for (const [index, bytes] of written.entries())
            expect((await storedBytes(h, `f${index}`)).equals(bytes)).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })
})
