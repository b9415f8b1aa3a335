import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { BucketCommand } from '../support/bucket-command.js'
import { pattern } from '../support/bytes.js'
import { CountedProxy } from '../support/counted-proxy.js'
import { cephS3 } from '../support/servers.js'
import { contentOf } from '../support/store-tools.js'

const MIB = 1024 ** 2
const PART = 5 * MIB
const LARGE = 8 * PART
const BYTES = pattern(LARGE)
/** Of heads and listings. */
const SMALL = 64 * 1024

const ceph = await cephS3()

describe.skipIf(ceph === undefined)('on Ceph RGW, killed and begun again,', () => {
  let bucket: BucketCommand
  let proxy: CountedProxy
  let store: ObjectStore
  let target: string
  beforeAll(async () => {
    if (ceph === undefined) return
    bucket = await BucketCommand.onServer(ceph)
    proxy = await CountedProxy.start(ceph.endpoint)
    store = await openS3Store(bucket.url.slice('s3://'.length), ceph)
    target = join(bucket.folder, 'target')
    await mkdir(target)
    await writeFile(join(bucket.folder, 'large'), BYTES)
  })
  afterAll(async () => {
    await proxy.stop()
    await store.close()
    await bucket.dispose()
  })

  const environment = () => ({ ...bucket.environment, MOUNT_BUCKET_ENDPOINT: proxy.endpoint })

  /** Lets half of the bytes through, and kills the command when they have come so far as `isKept` sees. */
  async function killedHalfway(words: readonly string[], isKept: () => Promise<boolean>): Promise<void> {
    proxy.reset(LARGE / 2)
    const running = spawn(process.execPath, [BucketCommand.program, ...words], {
      cwd: bucket.folder,
      env: environment(),
      stdio: 'ignore',
    })
    await vi.waitUntil(async () => proxy.isHeld && (await isKept()), { timeout: 30_000, interval: 20 })
    running.kill('SIGKILL')
    await new Promise(resolve => running.once('exit', resolve))
    proxy.reset()
  }

  async function storedParts(key: string) {
    const [upload] = await store.listUploads({ prefix: key })
    return upload === undefined ? [] : store.listParts(key, upload.uploadId)
  }

  it.each(['put', 'sync-to'])('%s sends what the store has not got', async command => {
    const words = [command, 'large', command, '--part-size', '5M', '--requests', '2']
    const hasParts = async () => (await storedParts(command)).length >= 2
    await killedHalfway(words, hasParts)
    const kept = (await storedParts(command)).length * PART
    const { exitCode } = await bucket.run(words, { env: environment() })
    expect(exitCode).toBe(0)
    expect(proxy.passedBytes).toBeLessThan(LARGE - kept + SMALL)
    expect((await contentOf(store, command)).equals(BYTES)).toBe(true)
    expect(await store.listUploads()).toEqual([])
  })

  it.each([
    ['get', ['get', 'object', 'target/', '--requests', '2']],
    ['sync-from', ['sync-from', 'object', 'target/', '--requests', '2']],
  ])('%s fetches what the file has not got', async (_, words) => {
    await store.put('object', BYTES)
    const partBytes = async () => {
      const name = (await readdir(target)).find(each => each.endsWith('.bucket-part'))
      return name === undefined ? 0 : (await stat(join(target, name))).size
    }
    await killedHalfway(words, async () => (await partBytes()) > 0)
    const kept = await partBytes()
    const { exitCode } = await bucket.run(words, { env: environment() })
    expect(exitCode).toBe(0)
    expect(proxy.passedBytes).toBeLessThan(LARGE - kept + SMALL)
    expect(await readdir(target)).toEqual(['object'])
    expect((await readFile(join(target, 'object'))).equals(BYTES)).toBe(true)
    await rm(join(target, 'object'))
  })
})
