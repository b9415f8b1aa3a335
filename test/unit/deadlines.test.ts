import { describe, expect, it } from 'vitest'
import { type Deadline, Deadlines } from '../../src/backend/layers/retry/deadlines.js'
import type { Timers } from '../../src/backend/timers.js'

/** Time that a test moves on; tells how many timers there are and have been. */
class HeldTime implements Timers {
  #nowMs = 1000
  made = 0
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>()

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run }
    this.made += 1
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  get count(): number {
    return this.#timers.size
  }

  moveTo(nowMs: number): void {
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = next.atMs
      next.run()
    }
    this.#nowMs = nowMs
  }
}

function open() {
  const time = new HeldTime()
  const told: string[] = []
  const deadlines = new Deadlines(time)
  const deadline = (name: string, dueMs: number, more: () => void = () => undefined): Deadline => ({
    dueMs,
    due: () => {
      told.push(`${name} ${time.nowMs()}`)
      more()
    },
  })
  return { time, told, deadlines, deadline }
}

describe('deadlines', () => {
  it('are told each at its time, in whatever order they came', () => {
    const { time, told, deadlines, deadline } = open()
    for (const [name, dueMs] of Object.entries({ late: 3000, early: 2000, later: 4000 }))
      deadlines.watch(deadline(name, dueMs))
    time.moveTo(10_000)
    expect(told).toEqual(['early 2000', 'late 3000', 'later 4000'])
    expect(time.count).toBe(0)
  })

  it('share a timer, which goes with the last of them', () => {
    const { time, told, deadlines, deadline } = open()
    const all = [2000, 2001, 2002].map(dueMs => deadline('never', dueMs))
    for (const one of all) deadlines.watch(one)
    expect([time.count, time.made]).toEqual([1, 1])
    for (const one of all) deadlines.leave(one)
    expect(time.count).toBe(0)
    time.moveTo(10_000)
    expect(told).toEqual([])
  })

  it('that were left are not told, also when the end of another call leaves them at that moment', () => {
    const { time, told, deadlines, deadline } = open()
    const left = deadline('left', 2000)
    deadlines.watch(deadline('first', 2000, () => deadlines.leave(left)))
    deadlines.watch(left)
    time.moveTo(2000)
    expect(told).toEqual(['first 2000'])
    expect(time.count).toBe(0)
  })

  it('can be set anew by whom they are told', () => {
    const { time, told, deadlines, deadline } = open()
    deadlines.watch(deadline('first', 2000, () => deadlines.watch(deadline('again', 2500))))
    deadlines.watch(deadline('other', 3000))
    time.moveTo(5000)
    expect(told).toEqual(['first 2000', 'again 2500', 'other 3000'])
  })

  it('that never come need no timer', () => {
    const { time, deadlines, deadline } = open()
    deadlines.watch(deadline('never', Number.POSITIVE_INFINITY))
    expect(time.count).toBe(0)
  })
})
