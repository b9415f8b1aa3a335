import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { endsWithTest } from './ends-with-test.js'
import { type Harness, type HarnessOptions, harness } from './filesystem-harness.js'
import { GatedStore } from './gated-store.js'
import { WriterHarness } from './writer-harness.js'

const KIB = 1024

/** Small parts, so that little is much. */
export const PART = 64 * KIB

let buckets = 0

function memoryStore() {
  buckets += 1
  return openMemoryStore(`small-parts-${process.pid}-${buckets}`, { minPartBytes: PART })
}

/** A mount whose store can be held and made to fail; it ends with the test. */
export async function gated(options: HarnessOptions = {}) {
  const rules = new FaultRules([])
  const store = new GatedStore(new FaultLayer(memoryStore(), rules))
  const h = await harness({ partSizeBytes: PART, ...options, store })
  return { h, store, rules }
}

/** They end with the test. */
export async function writers(): Promise<WriterHarness> {
  return endsWithTest(await WriterHarness.open(memoryStore(), { partBytes: PART }))
}

/** As a program does that copies. */
export async function writeAll(h: Harness, handle: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += 16 * KIB) await h.write(handle, at, bytes.subarray(at, at + 16 * KIB))
}

export async function storedBytes(h: Harness, key: string): Promise<Buffer> {
  return Buffer.from((await h.stored(key)) ?? '', 'latin1')
}
