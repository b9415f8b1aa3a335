import { describe, expect, it } from 'vitest'
import { onAbort } from '../../src/backend/call.js'
import { abortSignalOf, CallSignal } from '../../src/backend/call-signal.js'

const REASON = new Error('given up')

describe('the signal of a call', () => {
  it('tells each listener once, with the reason there to be read', () => {
    const signal = new CallSignal()
    const told: string[] = []
    onAbort(signal, () => told.push(`a ${signal.aborted} ${String(signal.reason)}`))
    onAbort(signal, () => told.push('b'))()
    onAbort(signal, () => told.push('c'))
    expect(signal.aborted).toBe(false)
    expect(() => signal.throwIfAborted()).not.toThrow()
    signal.abort(REASON)
    signal.abort(new Error('another'))
    expect(told).toEqual(['a true Error: given up', 'c'])
    expect(() => signal.throwIfAborted()).toThrow(REASON)
  })

  it('tells who comes later at once', () => {
    const signal = new CallSignal()
    signal.abort(REASON)
    let told = 0
    onAbort(signal, () => told++)()
    expect(told).toBe(1)
  })

  it('leaves out a listener that another one has called off', () => {
    const signal = new CallSignal()
    const told: string[] = []
    let forget = () => {}
    onAbort(signal, () => forget())
    forget = onAbort(signal, () => told.push('called off'))
    signal.abort(REASON)
    expect(told).toEqual([])
  })

  it('tells all listeners, whatever one of them throws, and says what that was', () => {
    const signal = new CallSignal()
    const told: string[] = []
    onAbort(signal, () => {
      throw new Error('a fault')
    })
    onAbort(signal, () => told.push('later'))
    expect(() => signal.abort(REASON)).toThrow('a fault')
    expect(told).toEqual(['later'])
  })

  it('is an AbortSignal for who knows no other, whichever comes first', () => {
    const early = new CallSignal()
    const made = abortSignalOf(early)
    expect(made?.aborted).toBe(false)
    early.abort(REASON)
    const late = new CallSignal()
    late.abort(REASON)
    for (const signal of [made, abortSignalOf(late)]) {
      expect(signal).toBeInstanceOf(AbortSignal)
      expect(signal?.aborted).toBe(true)
      expect(signal?.reason).toBe(REASON)
    }
    const { signal } = new AbortController()
    expect(abortSignalOf(signal)).toBe(signal)
    expect(abortSignalOf(undefined)).toBeUndefined()
  })
})
