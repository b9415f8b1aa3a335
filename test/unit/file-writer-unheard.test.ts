import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { pattern } from '../support/bytes.js'
import { endsWithTest } from '../support/ends-with-test.js'
import { LostAnswers } from '../support/lost-answers.js'
import { keeping, WriterHarness } from '../support/writer-harness.js'

const PART = 32
let buckets = 0

/** A new file that was streamed, and whose completion was carried out without an answer. */
async function streamed(data: Buffer, options: { maxStagingBytes?: number } = {}) {
  buckets += 1
  const answers = new LostAnswers(openMemoryStore(`unheard-${buckets}`, { minPartBytes: PART }))
  const h = endsWithTest(await WriterHarness.open(answers, { partBytes: PART, ...options }))
  const writer = await h.writer('f')
  writer.create('believed')
  for (let at = 0; at < data.length; at += 10) await writer.append(data.subarray(at, at + 10))
  answers.loseNext('carried out')
  await expect(writer.commit()).rejects.toMatchObject({ ambiguous: true })
  return { h, writer }
}

describe('a file that was streamed, and stored without an answer', () => {
  it('is stored at the next commit, and nothing is left of its upload', async () => {
    const data = pattern(325)
    const { h, writer } = await streamed(data)
    await writer.commit()
    expect(await writer.close(keeping('closed'))).toBeUndefined()
    expect((await h.stored('f')).equals(data)).toBe(true)
    expect(await h.store.listUploads()).toEqual([])
    expect(h.services.budget.takenBytes).toBe(0)
  })

  it('is written on where only the store has its bytes', async () => {
    const data = pattern(1000)
    const { h, writer } = await streamed(data.subarray(0, 640), { maxStagingBytes: 3 * PART })
    expect(() => writer.checkMovable()).toThrow(/staging-size/)
    await writer.settle()
    writer.checkMovable()
    for (let at = 640; at < 660; at += 10) await writer.append(data.subarray(at, at + 10))
    await writer.commit()
    expect((await h.stored('f')).equals(data.subarray(0, 660))).toBe(true)
    expect(await writer.close(keeping('closed'))).toBeUndefined()
    expect(h.services.budget.takenBytes).toBe(0)
  })
})
