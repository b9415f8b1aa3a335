import { type Log, SILENT } from '../../backend/log.js'
import { isStoreError } from '../../backend/store-error.js'
import type { Bucket } from '../../bucket/bucket.js'
import type { Buckets } from '../../bucket/buckets.js'
import type { BucketConfiguration } from '../../config/configuration.js'
import type { Environment } from '../../config/environment.js'
import { ConfigurationError } from '../../config/fault.js'
import type { CommandRequest } from './arguments.js'
import { CommandOutput } from './command-output.js'

/** What a command works with: its words and flags, the bucket, and how it says what it found. */
export class CommandContext {
  readonly words: readonly string[]
  readonly output: CommandOutput
  readonly environment: Environment
  /** Fires when the command is no longer wanted (SIGINT, SIGTERM). */
  readonly signal: AbortSignal
  readonly log: Log = SILENT
  readonly #request: CommandRequest
  /** Of `#opened`, what is a bucket. */
  readonly #buckets: Bucket[] = []
  readonly #opened: { close(): Promise<void> }[] = []

  constructor(request: CommandRequest, environment: Environment, signal: AbortSignal) {
    this.words = request.words
    this.output = new CommandOutput(request.common)
    this.environment = environment
    this.signal = signal
    this.#request = request
  }

  /** The bucket that the command line, the environment or the configuration names; with `url`, that one instead. */
  async openBucket(url?: { readonly text: string; readonly place: string }): Promise<Bucket> {
    const { bucketOf } = await import('../../compose/open-bucket.js')
    const bucket = await bucketOf(await this.configuration(url), this.log)
    this.#opened.push(bucket)
    this.#buckets.push(bucket)
    return bucket
  }

  /** The buckets beside the one that `openBucket` would open. */
  async openBuckets(url?: { readonly text: string; readonly place: string }): Promise<Buckets> {
    const { bucketsOf } = await import('../../compose/open-bucket.js')
    const buckets = await bucketsOf(await this.configuration(url), this.log)
    this.#opened.push(buckets)
    return buckets
  }

  /** What the command line, the environment and files say. Rejects with ConfigurationError. */
  async configuration(url?: { readonly text: string; readonly place: string }): Promise<BucketConfiguration> {
    const { resolveBucket } = await import('../../config/resolve.js')
    const { line } = this.#request
    const given = url === undefined ? line : { ...line, values: new Map([...line.values, ['url', url] as const]) }
    return resolveBucket(given, this.environment)
  }

  /** Why the command failed, where more can be told than `error` does. */
  async explained(error: unknown): Promise<unknown> {
    const [bucket] = this.#buckets
    if (bucket === undefined || !isStoreError(error, 'not-found')) return error
    const { folderInstead } = await import('./folder-instead.js')
    return folderInstead(error, bucket, this.signal)
  }

  /** Gives up what `openBucket` and `openBuckets` opened. */
  async close(): Promise<void> {
    await Promise.all(this.#opened.map(bucket => bucket.close()))
  }

  /** A flag of the command with a value; undefined where it is not given. */
  text(name: string): string | undefined {
    const value = this.#request.flags[name]
    return typeof value === 'string' ? value : undefined
  }

  /** The values of a flag that may be repeated. */
  texts(name: string): readonly string[] {
    const value = this.#request.flags[name]
    return Array.isArray(value) ? value.filter(each => typeof each === 'string') : []
  }

  /** A flag of the command without a value. */
  isOn(name: string): boolean {
    return this.#request.flags[name] === true
  }

  /** A flag of the command that was turned off: `--no-checksum`. */
  isOff(name: string): boolean {
    return this.#request.flags[name] === false
  }

  /** A flag that is a whole number of at least `least`. Throws a ConfigurationError for anything else. */
  count(name: string, least: number): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value) && value >= least) return value
    throw this.usage(flagOf(name), `a whole number of at least ${least}`, JSON.stringify(text))
  }

  /** What to throw where words or flags can't be understood. */
  usage(place: string, expected: string, found: string): ConfigurationError {
    return new ConfigurationError([{ place, expected, found }])
  }
}

/** `maxKeys` is `--max-keys`. */
function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}
