import { run } from './program.js'

export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** A bucket as it is beside all mounts; asked through curl. */
export class Bucket {
  readonly endpoint: string
  readonly name: string
  readonly keys: Keys

  constructor(endpoint: string, name: string, keys: Keys) {
    this.endpoint = endpoint
    this.name = name
    this.keys = keys
  }

  async create(): Promise<void> {
    await this.#curl('', ['-X', 'PUT'])
  }

  /** Writes the object into a local file. */
  async download(key: string, path: string): Promise<void> {
    await this.#curl(`/${key}`, ['-o', path])
  }

  /** How many parts have arrived of the unfinished upload of a key; 0 where there is none. */
  async arrivedParts(key: string): Promise<number> {
    // With its `=`, as the signature has it.
    const uploads = await this.#curl('?uploads=')
    const upload = uploads.split('<Upload>').find(text => text.includes(`<Key>${key}</Key>`))
    const [, uploadId] = /<UploadId>([^<]+)</.exec(upload ?? '') ?? []
    if (uploadId === undefined) return 0
    const parts = await this.#curl(`/${key}?uploadId=${encodeURIComponent(uploadId)}`)
    return parts.split('<Part>').length - 1
  }

  #curl(path: string, words: readonly string[] = []): Promise<string> {
    const { accessKeyId, secretAccessKey } = this.keys
    const signing = ['--aws-sigv4', 'aws:amz:us-east-1:s3', '--user', `${accessKeyId}:${secretAccessKey}`]
    // Before version 8, curl signs the sum of the payload without sending it, which S3 wants.
    const payload = ['-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD']
    return run(['curl', '-sS', '--fail', ...signing, ...payload, ...words, `${this.endpoint}/${this.name}${path}`])
  }
}
