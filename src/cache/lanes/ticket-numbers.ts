import type { ThreadTicket } from './thread-messages.js'

/** Tickets as one row of numbers: of all that threads are told these are the most, and numbers cost the least. */
export function addTicket(row: number[], { unique, places, waits }: ThreadTicket): void {
  row.push(unique, places.length, waits.length)
  for (const { slab, offset, sizeBytes } of places) row.push(slab, offset, sizeBytes)
  for (const { job, filledBytes } of waits) row.push(job, filledBytes)
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
