import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { OwnServer } from '../support/own-server.js'

const HUGE = 5.5 * 1024 ** 3
/** What the server copies in one request. */
const PART = 512 * 1024 ** 2

let own: OwnServer
beforeEach(async () => {
  own = await OwnServer.start()
})
afterEach(() => own.stop())

async function control<T>(action: string, body: object): Promise<T> {
  const reply = await fetch(`${own.server.url}/_control/${action}`, { method: 'POST', body: JSON.stringify(body) })
  return (await reply.json()) as T
}

it('what is too large for one copy is copied and moved by its parts, within a bucket and to another', async () => {
  // The server keeps one piece of bytes for all of it.
  await control('fill', { bucket: 'bucket', key: 'folder/huge', sizeBytes: HUGE })
  await own.run('mb', 'other')
  const copied = await own.run('cp', 'folder/huge', 'copy', '--meta', 'a=b')
  expect(copied.requests).toMatchObject({ UploadPartCopy: HUGE / PART, CompleteMultipartUpload: 1 })
  // Of a probe: whether the server counts tags.
  expect(copied.requests.GetObject).toBe(1)
  expect(copied.stdout).toBe('folder/huge is copied to copy')
  await own.run('cp', 'copy', 's3://other/copy')
  await own.run('mv', '-r', 'folder', 's3://other/moved')
  expect((await own.run('list')).stdout).toBe('copy')
  expect((await own.run('list', '-b', 's3://other')).stdout).toBe('copy\nmoved/huge')
  const digests = async (bucket: string) =>
    (await control<{ sizeBytes: number; crc32: number }[]>('digests', { bucket, prefix: '' })).map(
      ({ sizeBytes, crc32 }) => `${sizeBytes} ${crc32}`,
    )
  const [copy = ''] = await digests('bucket')
  expect(copy).toMatch(/^5905580032 /)
  expect(await digests('other')).toEqual([copy, copy])
  expect(JSON.parse((await own.run('info', '-b', 's3://other', 'copy', '--json')).stdout)).toMatchObject({
    metadata: { a: 'b' },
  })
})

it.each([
  ['CompleteMultipartUpload', { exitCode: 0, stderr: '', stdout: 'huge is copied to copy' }, ['copy', 'huge']],
  ['UploadPartCopy', { exitCode: 1, stderr: 'bucket: copy was aborted: it was interrupted', stdout: '' }, ['huge']],
])('one that is stopped during %s says what is stored, and leaves no upload', async (operation, ended, keys) => {
  await control('fill', { bucket: 'bucket', key: 'huge', sizeBytes: HUGE })
  own.server.setKnobs({ faults: [{ operation, stallMs: 1500 }] })
  const running = own.start('cp', 'huge', 'copy')
  const isAsked = () => (own.server.counters().requests[operation] ?? 0) > 0
  await vi.waitUntil(isAsked, { timeout: 60_000, interval: 20 })
  running.kill('SIGINT')
  const { exitCode, stderr, stdout } = await running
  expect({ exitCode, stderr, stdout }).toEqual(ended)
  await vi.waitUntil(() => own.server.counters().active === 0, { timeout: 60_000, interval: 20 })
  expect((await own.store.list()).objects.map(({ key }) => key)).toEqual(keys)
  expect(await own.store.listUploads()).toEqual([])
})
