import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { KnownVersions } from '../../src/cache/known-versions.js'
import { endsWithTest } from '../support/ends-with-test.js'
import { type Harness, harness } from '../support/filesystem-harness.js'
import { HeldTimers } from '../support/held-timers.js'

const T = 1_700_000_000_000
/** A copy onto itself keeps the ETag here. */
const store = (name: string) => openMemoryStore(`death-${name}`, { nowMs: () => T })

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A mount that keeps what it knows in this folder, and writes it when `flush` says so. */
async function mount(store: ObjectStore, folder: string) {
  const timers = new HeldTimers()
  const options = { maxEntries: 100, folder, log: SILENT, nowMs: () => T, ttlMs: 10_000, timers }
  const known = endsWithTest(await KnownVersions.open(options))
  const file = join(folder, 'known-versions.jsonl')
  const flush = async () => {
    timers.run()
    await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8')).toMatch(/\]\n\d+\n$/)
  }
  return { h: await harness({ store, known, startMs: T }), known, flush }
}

/** The next mount, with what the dead one had on disk. */
async function mountAfterDeath(store: ObjectStore, folder: string) {
  const found = temporary()
  cpSync(folder, found, { recursive: true })
  return mount(store, found)
}

const permissions = async (h: Harness, path: string) => (await h.walk(path)).attributes.mode & 0o7777

it('a chmod counts although the driver was killed before it could note it', async () => {
  const bucket = store('chmod')
  const folder = temporary()
  const { h, flush } = await mount(bucket, folder)
  await h.writeFile('f', 'bytes')
  await h.setattr('f', { mode: 0o644 })
  await flush()
  await h.setattr('f', { mode: 0o600 })
  const next = await mountAfterDeath(bucket, folder)
  expect(await next.h.list('', 7, true)).toEqual(['f'])
  expect(await permissions(next.h, 'f')).toBe(0o600)
})

it('what a driver had noted before it was killed is asked for once, and shown as it was', async () => {
  const bucket = store('noted')
  const folder = temporary()
  const { h, flush } = await mount(bucket, folder)
  await h.writeFile('f', 'bytes')
  await h.setattr('f', { mode: 0o640 })
  await flush()
  const before = (await h.walk('f')).attributes
  const { h: next } = await mountAfterDeath(bucket, folder)
  await next.list('', 7, true)
  next.requests()
  const { mode, mtime } = (await next.walk('f')).attributes
  expect({ mode, mtime }).toEqual({ mode: before.mode, mtime: before.mtime })
  expect(next.requests()).toEqual({ head: 1 })
  await next.list('', 7, true)
  await next.walk('f')
  expect(next.requests()).toEqual({})
})

it('a driver that ends in order leaves nothing to ask for', async () => {
  const bucket = store('order')
  const folder = temporary()
  const { h, known } = await mount(bucket, folder)
  await h.writeFile('f', 'bytes')
  await h.setattr('f', { mode: 0o600 })
  await known.close()
  const { h: next } = await mount(bucket, folder)
  await next.list('', 7, true)
  next.requests()
  expect(await permissions(next, 'f')).toBe(0o600)
  expect(next.requests()).toEqual({})
})
