/** A part is to hold about so many pages: the last page of each is not full. */
const PAGES_PER_PART = 4

const DIGITS = '0123456789'
const HEXADECIMAL = '0123456789abcdef'
const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/**
 * Where to cut the names that follow a page, `count` points at the most, in key order and behind its last name. Names are
 * taken for numbers of which each digit, hexadecimal digit or letter is a place: the page tells how far a thousand names go at
 * the place where its first and its last name begin to differ, and the points go on from its last name in equal steps.
 * No points where names are of another kind.
 */
export function splitPoints(names: readonly string[], prefixLength: number, count: number): string[] {
  const first = names[0]
  const last = names.at(-1)
  if (first === undefined || last === undefined || first === last) return []
  let place = prefixLength
  while (first[place] === last[place]) place += 1
  const alphabet = alphabetOf(names, place)
  const from = alphabet?.indexOf(first[place] ?? '') ?? -1
  const to = alphabet?.indexOf(last[place] ?? '') ?? -1
  if (alphabet === undefined || from < 0 || to <= from) return []
  const step = PAGES_PER_PART * (to - from + 1)
  const points: string[] = []
  for (let number = 1; number <= count; number++) {
    const point = advanced(last.slice(0, place + 1), place, number * step, prefixLength, names)
    if (point === undefined) break
    points.push(point)
  }
  return points
}

/** The name so many steps on at a place, with a carry to the places before it; undefined behind the last one. */
function advanced(
  name: string,
  place: number,
  steps: number,
  prefixLength: number,
  names: readonly string[],
): string | undefined {
  const characters = name.split('')
  let carry = steps
  for (let at = place; carry > 0; at--) {
    const alphabet = at < prefixLength ? undefined : alphabetOf(names, at)
    const value = alphabet?.indexOf(characters[at] ?? '') ?? -1
    if (alphabet === undefined || value < 0) return undefined
    characters[at] = alphabet[(value + carry) % alphabet.length] ?? ''
    carry = Math.floor((value + carry) / alphabet.length)
  }
  return characters.join('')
}

/** Of which characters those at a place of the names seem to be. */
function alphabetOf(names: readonly string[], place: number): string | undefined {
  const seen = new Set(names.map(name => name[place] ?? ''))
  return [DIGITS, HEXADECIMAL, LOWER, UPPER].find(alphabet =>
    [...seen].every(one => one !== '' && alphabet.includes(one)),
  )
}
