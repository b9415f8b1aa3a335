import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entryOf, isPartial, nameOfSlot, partialText, SELF_SLOT, slotOf } from '../../src/fs/names.js'

const RUNS = { numRuns: 2000 }
const ESC = '␛'

/** What the scheme itself uses, and what is near its borders. */
const tokens = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(ESC, '%', '\0', '.', 'k', 'b', 'o', '+') },
  { weight: 3, arbitrary: fc.constantFrom('%25', '%00', '%2E', '%2e', '%FF', '%C3', '%41', '2', '5', 'E', 'F', 'f') },
  { weight: 2, arbitrary: fc.constantFrom('a', 'é', '€', '😀', '\ufeff', '\u{10ffff}', '\n', ' ') },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('a', '%', '\0', 'é', '€', '😀', ESC, '.'), fc.integer({ min: 1, max: 256 }))
      .map(([unit, count]) => unit.repeat(count)),
  },
  { weight: 2, arbitrary: fc.integer({ min: 230, max: 257 }).map(count => 'x'.repeat(count)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }).map(text => text.replaceAll('/', '')) },
)

const text = fc.oneof(
  fc.array(tokens, { maxLength: 8 }).map(parts => parts.join('')),
  fc
    .tuple(fc.nat(3), fc.constantFrom('k', 'b', 'o', '+', ''), fc.array(tokens, { maxLength: 6 }))
    .map(([escapes, mark, rest]) => ESC.repeat(escapes) + mark + rest.join('')),
  fc.string({ unit: 'binary', maxLength: 300 }).map(one => one.replaceAll('/', '')),
)

const component = text.map(one => wellFormed(Buffer.from(one).subarray(0, 1024)))

const bytes = fc.oneof(
  text.map(one => Buffer.from(one)),
  fc.uint8Array({ maxLength: 255 }).map(one => Buffer.from(one)),
  fc
    .array(
      fc.oneof(
        tokens.map(one => Buffer.from(one)),
        fc.uint8Array({ maxLength: 3 }),
      ),
      { maxLength: 8 },
    )
    .map(parts => Buffer.concat(parts)),
  component.map(one => pathOf(one)[0] ?? Buffer.from('a')),
)

const name = bytes
  .map(one => Buffer.from(one.subarray(0, 255).filter(byte => byte !== 0 && byte !== 0x2f)))
  .filter(isName)

function wellFormed(cut: Uint8Array): string {
  let end = cut.length
  while (!isUtf8(cut.subarray(0, end))) end--
  return Buffer.from(cut.subarray(0, end)).toString()
}

function isName(one: Uint8Array): boolean {
  return one.length > 0 && one.length <= 255 && !['.', '..'].includes(Buffer.from(one).toString('latin1'))
}

/** The names on the way to a component. */
function pathOf(one: string): Buffer[] {
  const names: Buffer[] = []
  for (let partial = ''; ; ) {
    const entry = entryOf(one, partial)
    if (entry === undefined) throw new Error(`${JSON.stringify(one)} is not below ${JSON.stringify(partial)}`)
    names.push(entry.name)
    if (!isPartial(entry.slot)) return names
    partial = partialText(entry.slot)
  }
}

/** Where a path leads: the slot at its end. */
function follow(names: readonly Buffer[]): string {
  return names.reduce((slot, one) => slotOf(one, isPartial(slot) ? partialText(slot) : ''), '')
}

const shownAs = (one: string) => pathOf(one).map(part => part.toString('latin1'))
const utf8Path = (one: string) => pathOf(one).map(String).join('/')

describe('components', () => {
  it('each have a path of names, which leads back to them', () => {
    fc.assert(
      fc.property(component, one => {
        const names = pathOf(one)
        for (const part of names) expect(isName(part) && !part.includes(0) && !part.includes(0x2f)).toBe(true)
        expect(follow(names)).toBe(one)
      }),
      RUNS,
    )
  })

  it('never show as the same path, or as a part of another path', () => {
    const near = component.chain(one =>
      fc.tuple(
        fc.constant(one),
        fc.oneof(
          component,
          tokens.map(more => one + more),
          fc.constantFrom(ESC + one, one.slice(1), `${ESC}k${one}`, `${ESC}b${one}`, utf8Path(one).replaceAll('/', '')),
        ),
      ),
    )
    fc.assert(
      fc.property(near, ([a, b]) => {
        fc.pre(a !== b && b.isWellFormed() && !b.includes('/') && Buffer.byteLength(b) <= 1024)
        const [pathA, pathB] = [shownAs(a), shownAs(b)]
        expect(pathB.slice(0, pathA.length)).not.toEqual(pathA)
      }),
      RUNS,
    )
  })

  it('belong into a partial directory only on the way to them', () => {
    fc.assert(
      fc.property(component, component, (a, b) => {
        for (let entry = entryOf(a, ''); entry !== undefined && isPartial(entry.slot); ) {
          const partial = partialText(entry.slot)
          const other = entryOf(b, partial)
          const isBelow = shownAs(b).length > 1 && b.startsWith(partial)
          if (!isBelow) expect(other).toBeUndefined()
          entry = entryOf(a, partial)
        }
      }),
      RUNS,
    )
  })

  it('show as they are when they are ordinary', () => {
    const ordinary = text.filter(one => !one.startsWith(ESC) && !one.includes('\0') && isName(Buffer.from(one)))
    fc.assert(
      fc.property(ordinary, one => {
        expect(utf8Path(one)).toBe(one)
        expect(slotOf(Buffer.from(one), '')).toBe(one)
      }),
      RUNS,
    )
  })

  it('show as the documented examples', () => {
    const long = 'x'.repeat(300)
    const examples: Record<string, string> = {
      'report.txt': 'report.txt',
      '50%': '50%',
      '': '␛k',
      '.': '␛k%2E',
      '..': '␛k%2E.',
      'a\0b': '␛ka%00b',
      '5%\0': '␛k5%25%00',
      [long]: `␛+${'x'.repeat(240)}/␛k${'x'.repeat(60)}`,
      '␛': '␛',
      '␛k': '␛␛k',
      '␛␛k': '␛␛␛k',
      '␛o': '␛␛o',
      '␛kx': '␛kx',
      '␛bx': '␛bx',
      '␛+x': '␛+x',
      '␛␛bcaf%E9': '␛bcaf%E9',
    }
    for (const [one, path] of Object.entries(examples)) expect([one, utf8Path(one)]).toEqual([one, path])
    expect(pathOf('␛bcaf%E9')).toEqual([Buffer.from('caf\xe9', 'latin1')])
  })

  it('are cut between characters and tokens', () => {
    for (const unit of ['é', '€', '😀', '%', '\0']) {
      for (let lead = 0; lead < 4; lead++) {
        const one = 'x'.repeat(lead) + unit.repeat(300)
        const names = pathOf(one)
        expect(names.length).toBeGreaterThan(2)
        for (const part of names.slice(0, -1)) expect(part.length).toBeGreaterThanOrEqual(4 + 237)
        for (const part of names) expect(part.length).toBeLessThanOrEqual(4 + 240)
        expect(follow(names)).toBe(one)
      }
    }
  })
})

describe('names', () => {
  it('each lead to a slot, which has that name in the same directory', () => {
    fc.assert(
      fc.property(name, one => {
        const slot = slotOf(one, '')
        expect(slot.isWellFormed()).toBe(true)
        expect(nameOfSlot(slot, '').equals(one)).toBe(true)
      }),
      RUNS,
    )
  })

  it('never lead to the same slot', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        fc.pre(!a.equals(b))
        expect(slotOf(a, '')).not.toBe(slotOf(b, ''))
      }),
      RUNS,
    )
  })

  it('mean nothing in a partial directory unless they are the next piece', () => {
    fc.assert(
      fc.property(component, name, (long, other) => {
        let partial = ''
        for (const own of pathOf(long)) {
          for (const one of partial === '' ? [own] : [own, other, own.subarray(0, -1)]) {
            const slot = slotIn(one, partial)
            if (slot !== undefined) expect(nameOfSlot(slot, partial).equals(one)).toBe(true)
            if (slot !== undefined && !isPartial(slot)) expect(follow(pathOf(slot))).toBe(slot)
          }
          const slot = slotOf(own, partial)
          if (isPartial(slot)) partial = partialText(slot)
        }
      }),
      RUNS,
    )
    const [first] = pathOf('x'.repeat(300))
    const partial = partialText(slotOf(first ?? Buffer.alloc(0), ''))
    for (const one of ['a', '␛o', '␛k', '␛b%FF', '␛+x', '␛k\xff%', 'x'.repeat(60)])
      expect(() => slotOf(Buffer.from(one), partial)).toThrow(expect.objectContaining({ errno: 'ENOENT' }))
    expect(slotOf(Buffer.from(`␛k${'x'.repeat(20)}%00`), partial)).toBe(`${'x'.repeat(260)}\0`)
    expect(slotIn(Buffer.from('␛kxx%00'), partial)).toBeUndefined()
  })

  it('are refused over 255 bytes', () => {
    expect(slotOf(Buffer.alloc(255, 'x'), '')).toBe('x'.repeat(255))
    expect(() => slotOf(Buffer.alloc(256, 'x'), '')).toThrow(expect.objectContaining({ errno: 'ENAMETOOLONG' }))
    expect(() => slotOf(Buffer.alloc(256, 'x'), 'x'.repeat(240))).toThrow(
      expect.objectContaining({ errno: 'ENAMETOOLONG' }),
    )
  })

  it('have one for the object that has the key of its directory', () => {
    expect(slotOf(Buffer.from('␛o'), '')).toBe(SELF_SLOT)
    expect(nameOfSlot(SELF_SLOT, '').toString()).toBe('␛o')
  })
})

function slotIn(one: Uint8Array, partial: string): string | undefined {
  try {
    return slotOf(one, partial)
  } catch (error) {
    expect(error).toMatchObject({ errno: 'ENOENT' })
    return undefined
  }
}
