import { afterEach, describe, expect, it } from 'vitest'
import { Channel, type ChannelSettings } from '../../src/backend/s3/channel.js'
import { HttpPool } from '../../src/backend/s3/http/pool.js'
import { type RawServer, startRawServer } from '../support/raw-server.js'

let server: RawServer | undefined
let channel: Channel | undefined

afterEach(async () => {
  channel?.close()
  await server?.close()
})

async function open(credentials: ChannelSettings['credentials']): Promise<Channel> {
  server = await startRawServer(socket => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  const origin = { isSecure: false, host: '127.0.0.1', port: server.port }
  const place = { origin, hostField: 'h', path: '/bucket', scope: { region: 'us-east-1', service: 's3' } }
  channel = new Channel({
    place,
    pool: new HttpPool({ origin, maxSockets: 1, connectTimeoutMs: 5000 }),
    credentials,
    payloads: { isSigned: false, isSummed: false },
    idleTimeoutMs: 5000,
    patientTimeoutMs: 5000,
    nowMs: () => 0,
  })
  return channel
}

describe('credentials', () => {
  it('that do not come hold up nobody who gives up', async () => {
    const opened = await open(() => new Promise(() => undefined))
    const controller = new AbortController()
    const attempt = { operation: 'put', key: 'key', writes: true, signal: controller.signal }
    const wire = { method: 'PUT', key: 'key' } as const
    const sending = opened.send(wire, attempt, { text: 'x' })
    const preparing = opened.prepare(wire, attempt)
    controller.abort()
    await expect(sending).rejects.toMatchObject({ kind: 'aborted', key: 'key' })
    await expect(preparing).rejects.toMatchObject({ kind: 'aborted' })
  })

  it('that come late are used, and those of today are asked for with every request', async () => {
    let asked = 0
    const opened = await open(async () => {
      asked += 1
      return { accessKeyId: `key${asked}`, secretAccessKey: 'secret', sessionToken: `token${asked}` }
    })
    const { signal } = new AbortController()
    for (let n = 0; n < 2; n++) await opened.send({ method: 'PUT', key: 'k' }, { operation: 'put', signal })
    expect(server?.received[0]).toMatch(/x-amz-security-token: token1.*x-amz-security-token: token2/s)
    expect(server?.received[0]).toMatch(/Credential=key1\/.*Credential=key2\//s)
  })

  it('that can not be had are told', async () => {
    const opened = await open(() => Promise.reject(new RangeError('no credentials')))
    const { signal } = new AbortController()
    await expect(opened.prepare({ method: 'GET', key: 'k' }, { operation: 'get', signal })).rejects.toThrow(/no cred/)
  })
})
