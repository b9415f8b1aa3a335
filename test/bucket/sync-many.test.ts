import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OwnServer } from '../support/own-server.js'

const FILES = 10_000
const MIB = 1024 * 1024

describe('much to sync', () => {
  let own: OwnServer
  beforeAll(async () => {
    own = await OwnServer.start()
  })
  afterAll(() => own.stop())

  it('10,000 files go both ways with a request each, and with ten in all when they are the same', async () => {
    for (let folder = 0; folder < 100; folder++) {
      await mkdir(join(own.source, `d${folder}`))
      for (let file = 0; file < FILES / 100; file++)
        await writeFile(join(own.source, `d${folder}/f${file}`), `content ${folder} ${file}`)
    }
    const sent = await own.run('sync-to', 'source', 'p')
    expect(sent.requests).toEqual({ ListObjectsV2: 1, PutObject: FILES })
    expect((await own.run('sync-to', 'source', 'p')).requests).toEqual({ ListObjectsV2: FILES / 1000 })

    const fetched = await own.run('sync-from', 'p/', 'target')
    expect(fetched.requests).toEqual({ ListObjectsV2: FILES / 1000, GetObject: FILES })
    expect((await own.run('sync-from', 'p/', 'target')).requests).toEqual({ ListObjectsV2: FILES / 1000 })
    expect(await readdir(own.target)).toHaveLength(100)
    expect(await readFile(join(own.target, 'd99/f7'), 'utf8')).toBe('content 99 7')

    await rm(own.source, { recursive: true })
    await mkdir(own.source)
    const removed = await own.run('sync-to', 'source', 'p', '--delete', '--allow-empty-source')
    expect(removed.requests).toEqual({ ListObjectsV2: FILES / 1000, DeleteObjects: FILES / 1000 })
    expect((await own.store.list()).objects).toEqual([])
  }, 240_000)

  it('a large file goes both ways in little memory', async () => {
    await rm(own.source, { recursive: true, force: true })
    await mkdir(own.source)
    await writeFile(join(own.source, 'large'), '')
    await truncate(join(own.source, 'large'), 384 * MIB)
    for (const words of [
      ['sync-to', 'source', 'large'],
      ['sync-from', 'large/', 'fetched'],
    ]) {
      const running = own.start(...words)
      let peakKib = 0
      let hasEnded = false
      const ended = running.then(() => {
        hasEnded = true
      })
      while (!hasEnded) {
        const status = await readFile(`/proc/${running.pid}/status`, 'utf8').catch(() => '')
        peakKib = Math.max(peakKib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      await ended
      expect((await running).exitCode).toBe(0)
      expect(peakKib).toBeGreaterThan(0)
      expect(peakKib).toBeLessThan(200 * 1024)
    }
    expect((await own.run('sync-from', 'large/', 'fetched')).requests).toEqual({ ListObjectsV2: 1 })
  }, 120_000)
})
