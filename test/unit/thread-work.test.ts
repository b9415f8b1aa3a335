import { describe, expect, it } from 'vitest'
import type { FillerSink } from '../../src/backend/filling-threads.js'
import type { ThreadReport, ThreadTicket } from '../../src/cache/lanes/thread-messages.js'
import { ThreadWork } from '../../src/cache/lanes/thread-work.js'
import { addTicket } from '../../src/cache/lanes/ticket-numbers.js'

const PLACE = { slab: 0, offset: 0, sizeBytes: 100 }
const MIB = 1024 ** 2

/** A thread's work in this one; whoever fills does it by hand, and reports are made at the end of each step. */
async function setUp() {
  const fills: { readonly sink: FillerSink; readonly end: (outcome?: unknown) => void }[] = []
  const given: { readonly unique: number; readonly sizeBytes: number }[] = []
  const reports: ThreadReport[] = []
  const due = { soon: [] as (() => void)[], later: [] as (() => void)[] }
  const work = new ThreadWork({
    loadFiller: async () => ({ fill: (_, sink) => new Promise(end => fills.push({ sink, end })) }),
    loadAnswerer: async () => ({
      answer: (unique, views) => {
        given.push({ unique, sizeBytes: views.reduce((sum, view) => sum + view.length, 0) })
        return undefined
      },
    }),
    tell: report => reports.push(report),
    soon: run => due.soon.push(run),
    later: run => due.later.push(run),
  })
  const load = (role: 'filler' | 'answerer') => ({ kind: 'load', role, program: role, settings: undefined }) as const
  const slab = { kind: 'slab', slab: 0, memory: new SharedArrayBuffer(MIB) } as const
  await work.take({ orders: [slab, load('filler'), load('answerer')], tickets: [], cancels: [] })
  return {
    given,
    fills,
    async fill(job: number) {
      void work.take({ orders: [{ kind: 'fill', job, place: PLACE, request: undefined }], tickets: [], cancels: [] })
      await Promise.resolve()
    },
    async ask(...tickets: readonly ThreadTicket[]) {
      const row: number[] = []
      for (const { unique, places, waits } of tickets)
        addTicket(
          row,
          unique,
          places.flatMap(({ slab, offset, sizeBytes }) => [slab, offset, sizeBytes]),
          waits.flatMap(({ job, filledBytes }) => [job, filledBytes]),
        )
      await work.take(row)
    },
    due,
    reports,
    /** What became of tickets since the last time. */
    told() {
      for (const run of [...due.soon.splice(0), ...due.later.splice(0)]) run()
      const all = reports.splice(0)
      return { answered: all.flatMap(({ answered }) => answered), back: all.flatMap(({ back }) => back) }
    },
  }
}

const ticket = (unique: number, job: number, filledBytes: number): ThreadTicket => ({
  unique,
  places: [{ ...PLACE, sizeBytes: filledBytes }],
  waits: [{ job, filledBytes }],
})

describe('what a data thread does', () => {
  it('answers with the bytes of a job whose end whoever asks has not heard of', async () => {
    const { fills, given, fill, ask, told } = await setUp()
    await fill(1)
    fills[0]?.sink.advance(60)
    fills[0]?.end()
    await new Promise(setImmediate)
    await ask(ticket(7, 1, 60), ticket(8, 1, 61))
    expect(given).toEqual([{ unique: 7, sizeBytes: 60 }])
    expect(told()).toEqual({ answered: [7], back: [8] })
  })

  it('gives back what waits for a job that ended long ago', async () => {
    const { fills, given, fill, ask, told } = await setUp()
    for (let job = 1; job <= 65; job += 1) {
      await fill(job)
      fills.at(-1)?.sink.advance(100)
      fills.at(-1)?.end()
    }
    await new Promise(setImmediate)
    await ask(ticket(7, 1, 100), ticket(8, 2, 100))
    expect(given.map(({ unique }) => unique)).toEqual([8])
    expect(told()).toEqual({ answered: [8], back: [7] })
  })

  it('tells what nobody waits for once in each time, also when it has told something sooner meanwhile', async () => {
    const { fills, fill, ask, due, reports } = await setUp()
    await fill(1)
    fills[0]?.sink.advance(50)
    for (const run of due.soon.splice(0)) run()
    for (let unique = 1; unique <= 5; unique += 1) {
      await ask(ticket(unique, 1, 50), ticket(100 + unique, 9, 50))
      for (const run of due.soon.splice(0)) run()
    }
    await ask(ticket(6, 1, 50))
    expect(due.later.length).toBe(1)
    for (const run of due.later.splice(0)) run()
    expect(reports.map(({ answered }) => answered)).toEqual([[], [1], [2], [3], [4], [5], [6]])
    await ask(ticket(7, 1, 50))
    expect(due.later.length).toBe(1)
  })

  it('tells soon what much memory waits for', async () => {
    const { ask, due, reports } = await setUp()
    const whole = (unique: number) => ({ unique, places: [{ slab: 0, offset: 0, sizeBytes: MIB }], waits: [] })
    for (let unique = 1; unique < 8; unique += 1) await ask(whole(unique))
    expect([due.soon.length, due.later.length]).toEqual([0, 1])
    await ask(whole(8))
    expect([due.soon.length, due.later.length]).toEqual([1, 1])
    for (const run of due.soon.splice(0)) run()
    expect(reports.map(({ answered }) => answered)).toEqual([[1, 2, 3, 4, 5, 6, 7, 8]])
    await ask(whole(9))
    expect(due.soon.length).toBe(0)
  })
})
