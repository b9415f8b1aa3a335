import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { openBucket } from '../../src/compose/open-bucket.js'
import { pattern } from '../support/bytes.js'

async function twoBuckets() {
  const server = await startS3Server({ buckets: ['one', 'two'] })
  const folder = await mkdtemp(join(tmpdir(), 'bucket-foreign-'))
  const config = join(folder, 'config.yaml')
  await writeFile(config, '')
  const options = {
    endpoint: server.url,
    accessKeyId: 'test',
    secretAccessKey: 'testsecret',
    config,
    stateDir: folder,
    partSize: '5M',
  }
  const [one, two] = [await openBucket('s3://one/from', options), await openBucket('s3://two/to', options)]
  onTestFinished(async () => {
    await Promise.all([one.close(), two.close()])
    await server.close()
    await rm(folder, { recursive: true, force: true })
  })
  return { server, one, two }
}

it('copies between two buckets of one endpoint on the server', async () => {
  const { server, one, two } = await twoBuckets()
  await one.put('a b/ä%', pattern(11 * 1024 ** 2), { metadata: { a: '1' }, headers: { cacheControl: 'no-cache' } })
  server.reset()
  await one.copy('a b/ä%', { bucket: two, key: 'there' })
  await one.copy('a b/ä%', { bucket: two, key: 'changed' }, { metadata: { b: '2' } })
  expect(server.counters().requests).toMatchObject({ CopyObject: 2, HeadObject: 2 })
  expect(server.counters().requests).not.toHaveProperty('GetObject')
  expect((await two.get('there')).equals(pattern(11 * 1024 ** 2))).toBe(true)
  expect(await two.info('there')).toMatchObject({ metadata: { a: '1' }, headers: { cacheControl: 'no-cache' } })
  expect(await two.info('changed')).toMatchObject({ metadata: { b: '2' }, headers: { cacheControl: 'no-cache' } })
  await one.move('a b/ä%', { bucket: two, key: 'moved' })
  expect([await one.has('a b/ä%'), await two.has('moved')]).toEqual([false, true])
})
