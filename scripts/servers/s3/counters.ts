/** What came and went, by operation (`GetObject`). */
export interface Counts {
  readonly requests: Readonly<Record<string, number>>
  /** Bytes of bodies that came in, as they were on the wire. */
  readonly bytesIn: Readonly<Record<string, number>>
  /** Bytes of bodies that went out. */
  readonly bytesOut: Readonly<Record<string, number>>
  /** Answers by status; 0: none was given. */
  readonly statuses: Readonly<Record<string, number>>
  /** Requests under way now, and the most there were at a time. */
  readonly active: number
  readonly mostActive: number
}

export class Counters {
  #requests: Record<string, number> = {}
  #bytesIn: Record<string, number> = {}
  #bytesOut: Record<string, number> = {}
  #statuses: Record<string, number> = {}
  #active = 0
  #mostActive = 0

  begin(operation: string): void {
    add(this.#requests, operation, 1)
    this.#active++
    this.#mostActive = Math.max(this.#mostActive, this.#active)
  }

  end(status: number): void {
    add(this.#statuses, String(status), 1)
    this.#active--
  }

  received(operation: string, bytes: number): void {
    add(this.#bytesIn, operation, bytes)
  }

  sent(operation: string, bytes: number): void {
    add(this.#bytesOut, operation, bytes)
  }

  /** As it stands now; later requests don't change it. */
  read(): Counts {
    return {
      requests: { ...this.#requests },
      bytesIn: { ...this.#bytesIn },
      bytesOut: { ...this.#bytesOut },
      statuses: { ...this.#statuses },
      active: this.#active,
      mostActive: this.#mostActive,
    }
  }

  reset(): void {
    this.#requests = {}
    this.#bytesIn = {}
    this.#bytesOut = {}
    this.#statuses = {}
    this.#mostActive = this.#active
  }
}

function add(counts: Record<string, number>, name: string, amount: number): void {
  counts[name] = (counts[name] ?? 0) + amount
}
