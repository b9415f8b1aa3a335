import { describe, expect, it } from 'vitest'
import { heldCredentials } from '../../src/backend/s3/held-credentials.js'

const MINUTE_MS = 60_000

function open(expiresMs?: number) {
  const clock = { nowMs: 0, asked: 0 }
  const source = heldCredentials(
    async () => {
      clock.asked += 1
      const expiration = expiresMs === undefined ? undefined : new Date(clock.nowMs + expiresMs)
      return { accessKeyId: `key${clock.asked}`, secretAccessKey: 'secret', sessionToken: undefined, expiration }
    },
    () => clock.nowMs,
  )
  return { clock, source }
}

describe('credentials that were asked for', () => {
  it('are at hand at once from then on', async () => {
    const { clock, source } = open()
    expect(source()).toBeInstanceOf(Promise)
    await source()
    const asked = clock.asked
    clock.nowMs = 1e12
    expect(source()).toMatchObject({ accessKeyId: `key${asked}` })
    expect(clock.asked).toBe(asked)
  })

  it('are asked for anew five minutes before they end', async () => {
    const { clock, source } = open(15 * MINUTE_MS)
    await source()
    clock.nowMs = 10 * MINUTE_MS - 1
    expect(source()).toEqual({ accessKeyId: 'key1', secretAccessKey: 'secret', sessionToken: undefined })
    clock.nowMs += 1
    expect(await source()).toMatchObject({ accessKeyId: 'key2' })
    expect(source()).toMatchObject({ accessKeyId: 'key2' })
  })

  it('that could not be had are asked for again', async () => {
    let asked = 0
    const provider = () => (++asked === 1 ? Promise.reject(new Error('none')) : Promise.resolve(KEY))
    const source = heldCredentials(provider, () => 0)
    await expect(source()).rejects.toThrow('none')
    expect(await source()).toMatchObject(KEY)
  })
})

const KEY = { accessKeyId: 'key', secretAccessKey: 'secret' }
