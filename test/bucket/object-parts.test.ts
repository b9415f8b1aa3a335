import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OwnServer } from '../support/own-server.js'
import { testBytes } from '../support/store-tools.js'

const MIB = 1024 ** 2

describe('an object without an MD5', () => {
  let own: OwnServer
  beforeEach(async () => {
    own = await OwnServer.start()
  })
  afterEach(() => own.stop())

  async function store(key: string, ...sizes: readonly number[]): Promise<Uint8Array> {
    const bytes = testBytes(sizes.reduce((sum, size) => sum + size))
    const upload = await own.store.createUpload(key)
    const parts = []
    let at = 0
    for (const [index, size] of sizes.entries()) {
      parts.push(await upload.part(index + 1, bytes.subarray(at, at + size)))
      at += size
    }
    await upload.complete(parts)
    return bytes
  }

  const damage = () => own.server.setKnobs({ faults: [{ operation: 'GetObject', wrongBytes: true }] })

  it('is fetched and compared with its ETag, where that is made of parts, as a file and as a stream', async () => {
    await store('even', 7 * MIB, 7 * MIB, MIB)
    await store('p/even', 7 * MIB, MIB)
    expect((await own.run('get', 'even')).requests.HeadObject).toBe(2)
    damage()
    for (const words of [
      ['get', 'even', 'wrong'],
      ['get', '-b', 's3://bucket/p', 'even', 'wrong'],
      ['get', 'even', '-'],
      ['get-all', 'all'],
    ]) {
      const { exitCode, stderr } = await own.start(...words)
      expect(exitCode).not.toBe(0)
      expect(stderr).toMatch(
        /even: the bytes have the ETag .* in parts of 7340032 bytes, not .*-[23] as the store says/,
      )
    }
    expect(await readdir(own.folder)).not.toContain('wrong')
    expect(await readdir(join(own.folder, 'all'), { recursive: true })).toEqual(['p'])
    await own.run('get', 'even', 'unchecked', '--no-verify')
  })

  it('is compared with a checksum that the store has', async () => {
    await writeFile(join(own.folder, 'file'), testBytes(MIB))
    await own.run('put', 'file', 'encrypted', '--sse', 'aws:kms', '--checksums', 'on')
    await own.run('get', 'encrypted')
    damage()
    const { exitCode, stderr } = await own.start('get', 'encrypted', 'wrong')
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(
        /encrypted: the bytes have the crc32 [0-9a-f]{8}, not [0-9a-f]{8} as the store says/,
      ),
    })
    expect(await readdir(own.folder)).not.toContain('wrong')
  })

  it('is not taken for wrong where it came in parts of several sizes', async () => {
    await store('uneven', 5 * MIB, 6 * MIB, MIB)
    expect((await own.run('get', 'uneven')).requests.HeadObject).toBe(3)
  })

  it('is compared with a file without being fetched, where it came in parts', async () => {
    const bytes = await store('odd', 7 * MIB + 1, 5 * MIB)
    await writeFile(join(own.folder, 'file'), bytes)
    const same = await own.run('sync-to', 'file', 'odd', '--verbose')
    expect(same).toMatchObject({ stdout: expect.stringContaining('1 the same'), bytesOut: {} })
    expect(same.requests.GetObject).toBeUndefined()
    bytes[12 * MIB] = (bytes[12 * MIB] ?? 0) + 1
    await writeFile(join(own.folder, 'file'), bytes)
    const sent = await own.run('sync-to', 'file', 'odd', '--verbose')
    expect(sent.stdout).toContain('content differs')
    expect(sent.requests.GetObject).toBeUndefined()
  })
})
