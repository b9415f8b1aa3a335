import { describe, expect, it } from 'vitest'
import { Listing } from '../../src/cache/listing.js'
import { InoOrder } from '../../src/fs/reading-order.js'

const version = (key: string) => ({ key, etag: key, sizeBytes: 1, lastModifiedMs: 0 })

describe('InoOrder', () => {
  it('sorts a folder that grows only once in a while, and shows nothing twice meanwhile', () => {
    let asked = 0
    const inoOf = (path: string) => {
      asked += 1
      return Number(path.slice('d/'.length)) % 7
    }
    const order = new InoOrder(inoOf)
    const names = Array.from({ length: 10_000 }, (_, i) => String(i + 10_000))
    const listing = Listing.of({ objects: names.map(name => version(`d/${name}`)), prefixes: [] }, 'd/', 0)
    const all = () => {
      const ordered = order.entriesOf('d/', listing)
      const found: string[] = []
      for (let entry = ordered?.at(0); entry !== undefined; entry = ordered?.at(found.length)) {
        expect(ordered?.positionOf(entry.name)).toBe(found.length)
        found.push(entry.name)
      }
      return found
    }
    const before = all()
    expect([...before].sort()).toEqual(names)
    for (let i = 0; i < 5000; i++) {
      listing.changeObject(String(i + 20_000), version(`d/${i + 20_000}`))
      expect(order.entriesOf('d/', listing)?.positionOf(String(i + 20_000))).toBe(undefined)
    }
    expect(all()).toEqual(before)
    expect(asked).toBe(10_000)
    listing.changeObject('30000', version('d/30000'))
    expect(all()).toHaveLength(15_001)
    expect(asked).toBe(25_001)
  })
})
