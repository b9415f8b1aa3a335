import { StoreError } from '../backend/store-error.js'

/** How values of one kind become bytes and come back. */
export interface ObjectFormat {
  /** `json`. */
  readonly name: string
  /** Which content types it is for, without parameters and in lower case: `application/json`, or a pattern. */
  readonly contentTypes: readonly (string | RegExp)[]
  serialize(value: unknown): Uint8Array | string | Promise<Uint8Array | string>
  /** The value, or a promise of it. */
  deserialize(bytes: Uint8Array): unknown
}

const JSON_FORMAT: ObjectFormat = {
  name: 'json',
  contentTypes: ['application/json', /^[a-z]+\/[^+]+\+json$/],
  serialize: value => JSON.stringify(value),
  deserialize: bytes => JSON.parse(textOf(bytes)) as unknown,
}

const YAML_FORMAT: ObjectFormat = {
  name: 'yaml',
  contentTypes: [/^(application|text)\/(x-)?yaml$/, /^[a-z]+\/[^+]+\+yaml$/],
  // Most buckets are used without it, and it takes long to load.
  serialize: async value => (await import('yaml')).stringify(value),
  deserialize: async bytes => (await import('yaml')).parse(textOf(bytes)) as unknown,
}

const TEXT_FORMAT: ObjectFormat = {
  name: 'text',
  contentTypes: [/^text\//],
  serialize: value => String(value),
  deserialize: textOf,
}

/** The formats of a bucket: own ones before those that are always there. */
export class Formats {
  readonly #formats: readonly ObjectFormat[]

  constructor(own: readonly ObjectFormat[] = []) {
    this.#formats = [...own, JSON_FORMAT, YAML_FORMAT, TEXT_FORMAT]
  }

  /** Rejects with `invalid` where there is no format for the content type, or it does not take the value. */
  async serialize(value: unknown, contentType: string, key: string): Promise<Uint8Array | string> {
    const format = this.#formatOf(contentType)
    if (format === undefined)
      throw new StoreError('invalid', `${key}: values can't be stored as ${contentType}`, { key, operation: 'put' })
    return converted(() => format.serialize(value), `${key} can't be stored as ${format.name}`, 'invalid', key)
  }

  /** Bytes as they are where there is no format for the content type. Rejects with `corrupt` for what is not of it. */
  async deserialize(bytes: Uint8Array, contentType: string | undefined, key: string): Promise<unknown> {
    const format = contentType === undefined ? undefined : this.#formatOf(contentType)
    if (format === undefined) return bytes
    return converted(() => format.deserialize(bytes), `${key} is not ${format.name}`, 'corrupt', key)
  }

  #formatOf(contentType: string): ObjectFormat | undefined {
    const bare = contentType.replace(/;.*/s, '').trim().toLowerCase()
    const fits = (type: string | RegExp) => (typeof type === 'string' ? type === bare : type.test(bare))
    return this.#formats.find(format => format.contentTypes.some(fits))
  }
}

async function converted<T>(
  convert: () => T | Promise<T>,
  what: string,
  kind: 'invalid' | 'corrupt',
  key: string,
): Promise<T> {
  try {
    return await convert()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new StoreError(kind, `${what}: ${reason}`, { cause, key, retryable: false })
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}
