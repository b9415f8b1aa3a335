import type { ThreadTicket } from './thread-messages.js'

/**
 * Tickets as one row of numbers: of all that threads are told these are the most, and numbers cost the least. `places`:
 * slab, offset and size of each; `waits`: job and bytes of each.
 */
export function addTicket(row: number[], unique: number, places: readonly number[], waits: readonly number[]): void {
  row.push(unique, places.length / 3, waits.length / 2)
  for (let i = 0; i < places.length; i += 1) row.push(places[i] ?? 0)
  for (let i = 0; i < waits.length; i += 1) row.push(waits[i] ?? 0)
}

/** What `addTicket` put into a row, in the same order. */
export function ticketsOf(row: readonly number[]): readonly ThreadTicket[] {
  const tickets: ThreadTicket[] = []
  const numbers = row.values()
  const next = () => numbers.next().value ?? 0
  for (let left = row.length; left > 0; ) {
    const unique = next()
    const [placeCount, waitCount] = [next(), next()]
    const places = Array.from({ length: placeCount }, () => ({ slab: next(), offset: next(), sizeBytes: next() }))
    const waits = Array.from({ length: waitCount }, () => ({ job: next(), filledBytes: next() }))
    tickets.push({ unique, places, waits })
    left -= 3 + 3 * placeCount + 2 * waitCount
  }
  return tickets
}
