import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bucket, fromBytes, toBytes } from '../../scripts/servers/s3/bucket.js'
import { parseRange } from '../../scripts/servers/s3/call.js'
import { Content, shared } from '../../scripts/servers/s3/content.js'
import { KnobBoard } from '../../scripts/servers/s3/knobs.js'
import { SortedNames } from '../../scripts/servers/s3/sorted-names.js'
import { bodiesOf, element, textOf } from '../../scripts/servers/s3/xml.js'

describe('parts of the own S3', () => {
  it('keeps names in order, whatever comes and goes', () => {
    const name = fc.string({ minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), name), { maxLength: 2000 }), name, (steps, start) => {
        const names = new SortedNames()
        const model = new Set<string>()
        for (const [add, value] of steps) {
          if (add) names.add(value)
          else names.delete(value)
          if (add) model.add(value)
          else model.delete(value)
        }
        expect([...names.from('')]).toStrictEqual([...model].sort())
        expect([...names.from(start)]).toStrictEqual([...model].sort().filter(value => value >= start))
      }),
      { numRuns: 30 },
    )
  })

  it('keeps 100,000 names that come in any order', () => {
    const names = new SortedNames()
    for (let n = 0; n < 100_000; n++) names.add(String((n * 7919) % 100_003).padStart(6, '0'))
    const all = [...names.from('')]
    expect(all).toHaveLength(100_000)
    expect(all.every((name, index) => index === 0 || name > (all[index - 1] ?? ''))).toBe(true)
  })

  it('orders keys by their UTF-8 bytes', () => {
    const bucket = new Bucket('bucket', 0)
    const object = { content: new Content([]), etag: 'e', lastModifiedMs: 0, headers: {}, tags: {}, acl: [] }
    for (const key of ['😀', '\uffee', 'é', 'z', 'a']) bucket.set(key, object)
    expect([...bucket.names('')].map(fromBytes)).toStrictEqual(['a', 'z', 'é', '\uffee', '😀'])
    expect(fromBytes(toBytes('ü/😀'))).toBe('ü/😀')
  })

  it('slices contents as one run of bytes', () => {
    const whole = Buffer.from('0123456789abcdef')
    const content = new Content([whole.subarray(0, 3), whole.subarray(3, 4), whole.subarray(4)])
    for (let start = 0; start <= 16; start++)
      for (let end = start; end <= 16; end++)
        expect(Buffer.concat(content.slice(start, end).pieces).equals(whole.subarray(start, end))).toBe(true)
    expect(shared(Buffer.alloc(1000)).buffer).toBe(shared(Buffer.alloc(2000)).buffer)
    expect(Content.zeros(10_000_000).sizeBytes).toBe(10_000_000)
  })

  it('reads ranges', () => {
    expect(parseRange('bytes=0-0', 10)).toStrictEqual([0, 1])
    expect(parseRange('bytes=-20', 10)).toStrictEqual([0, 10])
    expect(parseRange('bytes=-', 10)).toBeUndefined()
    expect(() => parseRange('bytes=0-', 0)).toThrow(expect.objectContaining({ code: 'InvalidRange' }))
  })

  it('writes XML that it can read', () => {
    const text = '<a> & "b" \'c\' \n\r\t\u0001'
    expect(textOf(element('Key', text), 'Key')).toBe(text)
    expect(bodiesOf(element('Part', [{ N: 1 }, { N: 2 }]), 'Part')).toStrictEqual(['<N>1</N>', '<N>2</N>'])
  })

  it('applies faults from a request on, for so many, and by chance the same for the same seed', () => {
    const board = new KnobBoard()
    board.set({ faults: [{ operation: 'GetObject', key: '^a', from: 2, times: 2, loseReply: true }] })
    const asked = ['a1', 'b', 'a2', 'a3', 'a4'].map(key => board.faultFor('GetObject', key).loseReply === true)
    expect(asked).toStrictEqual([false, false, true, true, false])
    expect(board.faultFor('PutObject', 'a5')).toStrictEqual({})
    const chances = () => {
      board.set({ seed: 3, faults: [{ probability: 0.5, dropRequest: true }] })
      return Array.from({ length: 100 }, () => board.faultFor('GetObject', 'k').dropRequest === true)
    }
    const first = chances()
    expect(chances()).toStrictEqual(first)
    expect(first.filter(Boolean).length).toBeGreaterThan(20)
  })
})
