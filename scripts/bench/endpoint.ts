import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Counts } from '../servers/s3/counters.js'
import type { FillRequest, ObjectDigest } from '../servers/s3/filling.js'
import type { Knobs } from '../servers/s3/knobs.js'

/** Compiled, this file is build/scripts/bench/endpoint.js. */
const SERVER = join(import.meta.dirname, '../servers/s3/main.js')

export const BUCKET = 'bench'
export const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'testsecret' }

/** The project's own S3, as a process of its own: what all mounts show. */
export class Endpoint {
  readonly url: string
  /** The same over HTTPS, with the certificate of tls-certificate.ts. */
  readonly secureUrl: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, url: string, secureUrl: string) {
    this.#child = child
    this.url = url
    this.secureUrl = secureUrl
  }

  /** `onStart` gets how to end it at once. */
  static async start(onStart: (endNow: () => void) => void): Promise<Endpoint> {
    const words = [SERVER, '--bucket', BUCKET, '--anonymous', '--secure', '--with-parent']
    const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] })
    onStart(() => child.kill('SIGKILL'))
    const urls: string[] = []
    for await (const url of createInterface(child.stdout)) if (urls.push(url) === 2) break
    const [url, secureUrl] = urls
    if (url === undefined || secureUrl === undefined) throw new Error('the endpoint has not started')
    return new Endpoint(child, url, secureUrl)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async setKnobs(knobs: Partial<Knobs>): Promise<void> {
    // Taking the MD5 of every byte would cost more than a driver does.
    await this.#control('POST', 'knobs', { latencyMs: 0, bytesPerSecond: 0, randomEtags: true, ...knobs })
  }

  /** Nothing is stored any more. */
  async empty(): Promise<void> {
    await this.#control('POST', 'empty', {})
  }

  async fill(request: FillRequest): Promise<void> {
    await this.#control('POST', 'fill', request)
  }

  digests(prefix: string): Promise<readonly ObjectDigest[]> {
    return this.#control('POST', 'digests', { prefix })
  }

  counters(): Promise<Counts> {
    return this.#control('GET', 'counters')
  }

  async resetCounters(): Promise<void> {
    await this.#control('POST', 'count')
  }

  async read(key: string, offset?: number, length = 0): Promise<Buffer> {
    const headers = offset === undefined ? undefined : { range: `bytes=${offset}-${offset + length - 1}` }
    const reply = await fetch(`${this.url}/${BUCKET}/${key}`, headers && { headers })
    if (!reply.ok) throw new Error(`the endpoint answers ${reply.status} for ${key}`)
    return Buffer.from(await reply.arrayBuffer())
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGTERM')
    await ended
  }

  async #control<T>(method: string, action: string, body?: object): Promise<T> {
    const sent = method === 'POST' ? { body: JSON.stringify({ bucket: BUCKET, ...body }) } : {}
    const reply = await fetch(`${this.url}/_control/${action}`, { method, ...sent })
    if (!reply.ok) throw new Error(`the endpoint answers ${reply.status} to ${action}`)
    return (await reply.json()) as T
  }
}
