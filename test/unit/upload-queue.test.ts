import { describe, expect, it } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { StoreError } from '../../src/backend/store-error.js'
import { UploadQueue, UploadsError } from '../../src/bucket/upload-queue.js'

const OPTIONS = { uploadsAtOnce: 4, maxWaiting: 100, maxBytes: 1000, log: SILENT }

/** Uploads that end when they are told to, and what has begun. */
class Uploads {
  readonly begun: string[] = []
  readonly #ends = new Map<string, () => void>()

  upload(name: string) {
    return () => {
      this.begun.push(name)
      return new Promise<void>(resolve => this.#ends.set(name, resolve))
    }
  }

  end(name: string): void {
    const end = this.#ends.get(name)
    if (end === undefined) throw new Error(`${name} has not begun`)
    end()
  }
}

/** Everything that can go on without an answer has done so. */
const settled = () => new Promise(resolve => setImmediate(resolve))

describe('the queue of uploads', () => {
  it('takes uploads at once and carries out some at a time', async () => {
    const [queue, uploads] = [new UploadQueue(OPTIONS), new Uploads()]
    for (const name of ['a', 'b', 'c', 'd', 'e']) await queue.add(name, 1, uploads.upload(name))
    await settled()
    expect(uploads.begun).toEqual(['a', 'b', 'c', 'd'])
    expect(queue.size).toBe(5)
    uploads.end('b')
    await settled()
    expect(uploads.begun).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('stores what one key gets one after the other', async () => {
    const [queue, uploads] = [new UploadQueue(OPTIONS), new Uploads()]
    await queue.add('a', 1, uploads.upload('first'))
    await queue.add('a', 1, uploads.upload('second'))
    await queue.add('b', 1, uploads.upload('other'))
    await settled()
    expect(uploads.begun).toEqual(['first', 'other'])
    uploads.end('first')
    await settled()
    expect(uploads.begun).toEqual(['first', 'other', 'second'])
  })

  it('lets a program wait when too much waits already', async () => {
    const [queue, uploads] = [new UploadQueue(OPTIONS), new Uploads()]
    await queue.add('a', 900, uploads.upload('a'))
    let isTaken = false
    const second = queue.add('b', 200, uploads.upload('b')).then(() => {
      isTaken = true
    })
    await settled()
    expect(isTaken).toBe(false)
    uploads.end('a')
    await second
    await settled()
    expect(uploads.begun).toEqual(['a', 'b'])
    uploads.end('b')
    await queue.flush()
    await queue.add('large', 5000, uploads.upload('large'))
    await settled()
    expect(uploads.begun).toContain('large')
  })

  it('bounds how many wait', async () => {
    const [queue, uploads] = [new UploadQueue({ ...OPTIONS, uploadsAtOnce: 1, maxWaiting: 2 }), new Uploads()]
    for (const name of ['a', 'b', 'c']) await queue.add(name, 0, uploads.upload(name))
    let isTaken = false
    const fourth = queue.add('d', 0, uploads.upload('d')).then(() => {
      isTaken = true
    })
    await settled()
    expect(isTaken).toBe(false)
    uploads.end('a')
    await fourth
  })

  it('tells every failure at the flush, once, and as soon as it happens to the log', async () => {
    const logged: unknown[] = []
    const log = {
      ...SILENT,
      error: (_: string, fields?: Readonly<Record<string, unknown>>) => logged.push(fields?.key),
    }
    const queue = new UploadQueue({ ...OPTIONS, log })
    const failing = (message: string) => () => Promise.reject(new StoreError('denied', message))
    await queue.add('a', 1, failing('no a'))
    await queue.add('b', 1, async () => {})
    await queue.add('c', 1, failing('no c'))
    const error = await queue.flush().catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(UploadsError)
    expect(error).toMatchObject({ kind: 'denied', message: '2 background uploads failed: a: no a; c: no c' })
    expect((error as UploadsError).failures.map(({ key }) => key)).toEqual(['a', 'c'])
    expect(logged).toEqual(['a', 'c'])
    await queue.flush()
  })

  it('stops waiting when nobody is interested', async () => {
    const [queue, uploads] = [new UploadQueue(OPTIONS), new Uploads()]
    await queue.add('a', 1, uploads.upload('a'))
    await expect(queue.flush({ signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' })
  })
})
