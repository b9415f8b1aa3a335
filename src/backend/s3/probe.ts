import { randomUUID } from 'node:crypto'
import { MAX_KEY_BYTES } from '../keys.js'
import type { Log } from '../log.js'
import { isStoreError, StoreError } from '../store-error.js'
import type { ConditionalOperation, Finding } from './knowledge.js'
import type { MultipartRequests } from './multipart-requests.js'
import type { ObjectRequests, WireConditions } from './requests.js'

/** What a probe found. */
export interface ProbeResult {
  readonly finding: Finding
  readonly bareIfMatch?: boolean
}

/** An ETag that no object has. */
const WRONG_ETAG = '0123456789abcdef0123456789abcdef'
const IF_ABSENT: WireConditions = { IfNoneMatch: '*' }
const IF_WRONG: WireConditions = { IfMatch: `"${WRONG_ETAG}"` }
export const PROBE_CONTENT = Buffer.from('probe')
const PROBE_NAME = '.mount-bucket-probe-'
/** Decoded once more, this is a name of nothing. */
const ENCODED_NAME = '-%41'

/**
 * Finds out, with temporary objects of random names, whether a server keeps the conditions of an operation. The names
 * stand beside the key that is about to be written, since credentials may be good for one folder only.
 */
export class EndpointProbe {
  readonly #objects: ObjectRequests
  readonly #multipart: MultipartRequests
  readonly #temporary: ProbeObjects

  constructor(objects: ObjectRequests, multipart: MultipartRequests, temporary: ProbeObjects) {
    this.#objects = objects
    this.#multipart = multipart
    this.#temporary = temporary
  }

  run(operation: ConditionalOperation, nearKey: string): Promise<ProbeResult> {
    const probes: Record<ConditionalOperation, (key: string) => Promise<ProbeResult>> = {
      put: key => this.#put(key),
      complete: key => this.#complete(key),
      copy: key => this.#temporary.use(nearKey, target => this.#copy(key, target)),
      delete: key => this.#delete(key),
    }
    return this.#temporary.use(nearKey, probes[operation])
  }

  async #put(key: string): Promise<ProbeResult> {
    const put = (conditions: WireConditions) => this.#objects.put(key, PROBE_CONTENT, conditions, {})
    if ((await outcome(put(IF_ABSENT))) === 'refused') return { finding: 'refused' }
    const { etag } = await put({})
    const bareIfMatch = (await outcome(put({ IfMatch: `"${etag}"` }))) !== 'done'
    if (bareIfMatch && (await outcome(put({ IfMatch: etag }))) !== 'done') return { finding: 'refused' }
    const wrong = { IfMatch: bareIfMatch ? WRONG_ETAG : `"${WRONG_ETAG}"` }
    return { finding: await allKept([() => put(IF_ABSENT), () => put(wrong)]), bareIfMatch }
  }

  async #complete(key: string): Promise<ProbeResult> {
    const { etag } = await this.#objects.put(key, PROBE_CONTENT, {}, {})
    const right = { IfMatch: `"${etag}"` }
    const [absent = 'refused', wrong, last] = await this.#completions(key, [IF_ABSENT, IF_WRONG, right])
    // That it could be completed in the end shows that the upload was there all the time.
    if (absent === 'kept' && wrong === 'kept' && last === 'done') return { finding: 'atomic' }
    const finding = findingOf([absent, await outcome(this.#completeOnce(key, IF_WRONG))])
    if (finding !== 'atomic') return { finding }
    return { finding: (await outcome(this.#completeOnce(key, right))) === 'done' ? 'atomic' : 'refused' }
  }

  /** Completes one upload until the condition is not kept. What an upload answers that was refused before may mean nothing. */
  async #completions(key: string, conditions: readonly WireConditions[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = []
    const upload = { key, uploadId: await this.#multipart.create(key, {}) }
    try {
      const part = await this.#multipart.part(upload, 1, PROBE_CONTENT)
      for (const condition of conditions) {
        outcomes.push(await outcome(this.#multipart.complete(upload, [part], condition)))
        if (outcomes.at(-1) !== 'kept') break
      }
    } catch (error) {
      if (outcomes.length === 0) throw error
    } finally {
      if (outcomes.at(-1) !== 'done') await this.#multipart.abort(upload)
    }
    return outcomes
  }

  async #completeOnce(key: string, conditions: WireConditions): Promise<void> {
    const upload = { key, uploadId: await this.#multipart.create(key, {}) }
    try {
      const part = await this.#multipart.part(upload, 1, PROBE_CONTENT)
      await this.#multipart.complete(upload, [part], conditions)
    } catch (error) {
      await this.#multipart.abort(upload)
      throw error
    }
  }

  async #copy(key: string, target: string): Promise<ProbeResult> {
    await this.#objects.put(key, PROBE_CONTENT, {}, {})
    const copy = (conditions: WireConditions, sourceIfMatch?: string) => () =>
      this.#objects.copy(key, target, { conditions, sourceIfMatch })
    const { etag } = await copy({})()
    const finding = await allKept([copy(IF_ABSENT), copy(IF_WRONG), copy({}, WRONG_ETAG)])
    if (finding !== 'atomic') return { finding }
    return { finding: (await outcome(copy({ IfMatch: `"${etag}"` }, etag)())) === 'done' ? 'atomic' : 'refused' }
  }

  async #delete(key: string): Promise<ProbeResult> {
    const { etag } = await this.#objects.put(key, PROBE_CONTENT, {}, {})
    const finding = await allKept([() => this.#objects.delete(key, IF_WRONG)])
    if (finding !== 'atomic') return { finding }
    return {
      finding: (await outcome(this.#objects.delete(key, { IfMatch: `"${etag}"` }))) === 'done' ? 'atomic' : 'refused',
    }
  }

  /** Whether UploadPartCopy decodes the name of its source twice; without a name that such a server would die of. */
  decodesPartSourceTwice(nearKey: string): Promise<boolean> {
    return this.#temporary.use(nearKey, key => this.#decodesTwice(key), ENCODED_NAME)
  }

  async #decodesTwice(key: string): Promise<boolean> {
    await this.#objects.put(key, PROBE_CONTENT, {}, {})
    const upload = { key, uploadId: await this.#multipart.create(key, {}) }
    try {
      const range = { offset: 0, lengthBytes: PROBE_CONTENT.byteLength }
      await this.#multipart.copyPart(upload, 1, { key, range })
      return false
    } catch (error) {
      if (isStoreError(error, 'not-found')) return true
      throw error
    } finally {
      await this.#multipart.abort(upload)
    }
  }
}

/** Temporary objects of random names. */
export class ProbeObjects {
  readonly #objects: ObjectRequests
  readonly #log: Log

  constructor(objects: ObjectRequests, log: Log) {
    this.#objects = objects
    this.#log = log
  }

  /** Gives `probe` a key near another one, and removes what it leaves there. */
  async use<T>(nearKey: string, probe: (key: string) => Promise<T>, ending = ''): Promise<T> {
    const key = probeKey(nearKey) + ending
    try {
      return await probe(key)
    } finally {
      await this.#remove(key)
    }
  }

  async #remove(key: string): Promise<void> {
    try {
      await this.#objects.delete(key, {})
    } catch (error) {
      this.#log.warn('a temporary object could not be deleted', { key, error })
    }
  }
}

type Outcome = 'done' | 'kept' | 'refused'

/** What became of a conditional request; anything but these three outcomes is thrown. */
async function outcome(request: Promise<unknown>): Promise<Outcome> {
  try {
    await request
    return 'done'
  } catch (error) {
    if (isStoreError(error, 'precondition-failed')) return 'kept'
    if (isStoreError(error, 'unsupported', 'invalid')) return 'refused'
    throw error
  }
}

/** All of these requests have conditions that do not hold. */
async function allKept(requests: readonly (() => Promise<unknown>)[]): Promise<Finding> {
  const outcomes: Outcome[] = []
  for (const request of requests) outcomes.push(await outcome(request()))
  return findingOf(outcomes)
}

function findingOf(outcomes: readonly Outcome[]): Finding {
  if (outcomes.includes('refused')) return 'refused'
  return outcomes.includes('done') ? 'ignored' : 'atomic'
}

/** In the same folder, within the length that a key may have. */
function probeKey(nearKey: string): string {
  const folder = nearKey.slice(0, nearKey.lastIndexOf('/') + 1)
  const name = `${PROBE_NAME}${randomUUID()}`
  const fits = Buffer.byteLength(folder) + name.length + ENCODED_NAME.length <= MAX_KEY_BYTES
  return fits ? folder + name : name
}

/** Whatever a probe failed with, the caller's own request has not been sent. */
export function asProbeFailure(error: unknown, operation: string, key: string): unknown {
  if (!isStoreError(error)) return error
  return new StoreError(error.kind, `${operation}: what the server can do could not be found out`, {
    cause: error,
    key,
    operation,
    retryable: error.retryable,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    ...(error.code !== undefined && { code: error.code }),
  })
}
