import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OwnServer } from '../support/own-server.js'
import { testBytes } from '../support/store-tools.js'

const MIB = 1024 * 1024

describe('a command that nobody reads any more', () => {
  let own: OwnServer
  beforeEach(async () => {
    own = await OwnServer.start()
  })
  afterEach(() => own.stop())

  it('leaves nothing in the store but what the same command goes on with', async () => {
    await mkdir(join(own.source, 'large'))
    for (let number = 0; number < 3; number++)
      await writeFile(join(own.source, 'large', String(number)), testBytes(20 * MIB, number))
    await writeFile(join(own.source, 'medium'), testBytes(4 * MIB))
    own.server.setKnobs({ bytesPerSecond: MIB })
    const running = own.start('put-dir', 'source', '--part-size', '5M')
    await vi.waitUntil(async () => (await own.store.listUploads()).length === 3, { timeout: 60_000, interval: 20 })
    // What it says of the medium one is the first that can't be said.
    running.stdout.destroy()
    const { exitCode, stderr } = await running
    expect({ exitCode, stderr }).toEqual({ exitCode: 141, stderr: '' })
    expect(own.server.counters().requests.PutObject).toBe(1)
    const left = await own.store.listUploads()
    expect(await readdir(join(own.folder, 'state/uploads'))).toHaveLength(left.length)
    own.server.setKnobs({ bytesPerSecond: 0 })
    expect((await own.run('put-dir', 'source', '--part-size', '5M')).requests.CreateMultipartUpload ?? 0).toBe(
      3 - left.length,
    )
    expect(await own.store.listUploads()).toEqual([])
  })

  it('gives up what can not go on, also where only its standard error is not read', async () => {
    await writeFile(join(own.source, 'large'), testBytes(40 * MIB))
    own.server.setKnobs({ bytesPerSecond: 2 * MIB })
    const script =
      '"$BUCKET" put - large --part-size 5M --progress json <source/large 2>&1 >/dev/null | head -n 1; echo $PIPESTATUS'
    expect((await own.shell(script)).stdout).toMatch(/^{"name":"large","done":\d+}\n141$/)
    expect(own.server.counters().requests.CreateMultipartUpload).toBe(1)
    expect(await own.store.listUploads()).toEqual([])
  })

  it('ends when it is told to, though its reader takes nothing', async () => {
    await own.store.put('large', testBytes(20 * MIB))
    // What does not end is killed, and says so by its exit code.
    const script =
      'mkfifo pipe; exec 3<>pipe; timeout --foreground -k 15 120 "$BUCKET" get large - >pipe & echo $! >pid; wait $!; echo $?'
    const running = own.shell(script)
    await vi.waitUntil(() => (own.server.counters().bytesOut.GetObject ?? 0) > MIB, { timeout: 60_000, interval: 20 })
    process.kill(Number(await readFile(join(own.folder, 'pid'), 'utf8')), 'SIGTERM')
    const { stdout, stderr } = await running
    expect({ stdout, stderr }).toEqual({ stdout: '1', stderr: 'bucket: large: get was aborted: it was interrupted' })
  })

  it('says what is wrong with a disk that is full', async () => {
    const { stdout, stderr } = await own.shell('"$BUCKET" --version >/dev/full; echo $?')
    expect({ stdout, stderr }).toEqual({
      stdout: '1',
      stderr: 'bucket: the output could not be written: ENOSPC: no space left on device, write',
    })
  })
})
