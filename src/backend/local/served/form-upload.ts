import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { Busboy } from '@fastify/busboy'
import { urlBehind } from '../../cdn-url.js'
import type { WriteResult } from '../../object-store.js'
import { CANNED_ACLS, type CannedAcl } from '../../powers.js'
import { FILE_NAME } from '../../signing/upload-form.js'
import type { LocalSigning } from '../local-signing.js'
import type { LocalStore } from '../local-store.js'
import { checkFields, sizesOf } from './form-policy.js'
import { attachmentsOf } from './object-headers.js'
import { element, escaped, Refusal } from './refusal.js'

/** A form of more is none of ours; S3 takes 20 KB of fields in all. */
const LIMITS = { fieldNameSize: 256, fieldSize: 20 * 1024, fields: 60, files: 1, parts: 80, headerPairs: 32 }

/** An upload by a form (multipart/form-data): fields first, then the file, which goes to the disk as it comes. */
export async function uploadByForm(
  store: LocalStore,
  signing: LocalSigning,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { Busboy } = await import('@fastify/busboy')
  const form = await readForm(Busboy, request, (fields, file, fileName) =>
    storeFile(store, signing, { fields, file, fileName }, signal),
  )
  answer(response, form.fields, form.key, form.result, await locationOf(store, form.key))
}

interface StoredForm {
  readonly fields: ReadonlyMap<string, string>
  readonly key: string
  readonly result: WriteResult
}

/** `file` ends when the whole form has come, and fails where that is none. */
type Take = (
  fields: ReadonlyMap<string, string>,
  file: AsyncIterable<Uint8Array>,
  fileName: string,
) => Promise<StoredForm>

function readForm(Parser: typeof Busboy, request: IncomingMessage, take: Take): Promise<StoredForm> {
  const type = request.headers['content-type']
  if (type === undefined || !/^multipart\/form-data\s*;/i.test(type))
    throw new Refusal(415, 'PreconditionFailed', 'a form is sent as multipart/form-data')
  return new Promise((resolve, reject) => {
    const fields = new Map<string, string>()
    const parser = new Parser({ headers: { ...request.headers, 'content-type': type }, limits: LIMITS, isPartAFile })
    const ending = new FormEnding()
    let taken: Promise<StoredForm> | undefined
    const fail = (error: unknown) => {
      request.unpipe(parser)
      ending.fail(error)
      reject(error)
    }
    parser.on('field', (name, value, nameTruncated, valueTruncated) => {
      // What comes behind the file counts as little as it does in S3, and what comes behind a mistake as little.
      if (taken !== undefined || ending.hasFailed) return
      if (nameTruncated || valueTruncated || fields.has(name.toLowerCase()))
        return fail(new Refusal(400, 'InvalidRequest', 'a field is too long, or given twice'))
      fields.set(name.toLowerCase(), value)
    })
    parser.on('file', (name, file, fileName) => {
      file.on('error', ignore)
      if (ending.hasFailed) return
      if (name !== 'file') return fail(new Refusal(400, 'InvalidArgument', 'the file comes in the field "file"'))
      taken = take(fields, ending.wholeOf(file), fileName ?? '')
      taken.catch(fail)
    })
    for (const limit of ['partsLimit', 'fieldsLimit', 'filesLimit'] as const)
      parser.on(limit, () => fail(new Refusal(400, 'InvalidRequest', 'the form has too many fields')))
    parser.on('error', error => fail(new Refusal(400, 'MalformedPOSTRequest', 'the form breaks off', error)))
    parser.on('finish', () => {
      if (taken === undefined) return fail(new Refusal(400, 'InvalidArgument', 'the form has no file'))
      ending.come()
      taken.then(resolve, fail)
    })
    request.on('aborted', () => parser.destroy(new Error('the connection ended')))
    request.pipe(parser)
  })
}

/** How a form ends, before which nothing of its file is stored: what comes behind the file may still be wrong. */
class FormEnding {
  readonly #ended: Promise<void>
  #come = ignore
  #refuse: (error: unknown) => void = ignore
  #file: Readable | undefined
  #hasFailed = false

  constructor() {
    this.#ended = new Promise((resolve, reject) => {
      this.#come = resolve
      this.#refuse = reject
    })
    this.#ended.catch(ignore)
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }

  come(): void {
    this.#come()
  }

  fail(error: unknown): void {
    this.#hasFailed = true
    this.#file?.destroy(error instanceof Error ? error : undefined)
    this.#refuse(error)
  }

  /** The bytes of the file; they end when the form does, and fail where it fails. */
  wholeOf(file: Readable): AsyncIterable<Uint8Array> {
    this.#file = file
    return this.#bytesOf(file)
  }

  async *#bytesOf(file: Readable): AsyncGenerator<Uint8Array> {
    yield* file as AsyncIterable<Uint8Array>
    await this.#ended
  }
}

/** The file, whatever type or name it has; all else is a field. */
function isPartAFile(name: string | undefined, type: string | undefined, fileName: string | undefined): boolean {
  return name === 'file' || fileName !== undefined || type === 'application/octet-stream'
}

interface GivenFile {
  readonly fields: ReadonlyMap<string, string>
  readonly file: AsyncIterable<Uint8Array>
  readonly fileName: string
}

async function storeFile(
  store: LocalStore,
  signing: LocalSigning,
  given: GivenFile,
  signal: AbortSignal,
): Promise<StoredForm> {
  const key = (given.fields.get('key') ?? '').replace(FILE_NAME, () => lastName(given.fileName))
  const fields = new Map(given.fields).set('key', key)
  const policy = await signing.policyOf(fields)
  if (typeof policy === 'string') throw new Refusal(403, 'AccessDenied', policy)
  checkFields(policy, fields)
  const { leastBytes, mostBytes } = sizesOf(policy)
  const chunks = bounded(given.file, leastBytes, mostBytes)
  const attachments = attachmentsOf(name => fields.get(name), fields.keys())
  const result = await store.putStream(key, chunks, { ...attachments, acl: aclOf(fields.get('acl')), signal })
  return { fields, key, result }
}

function aclOf(name: string | undefined): CannedAcl | undefined {
  const acl = CANNED_ACLS.find(known => known === name)
  if (name !== undefined && acl === undefined) throw new Refusal(400, 'InvalidArgument', 'there is no such ACL')
  return acl
}

/** Some browsers send whole paths. */
function lastName(fileName: string): string {
  return fileName.split(/[/\\]/).at(-1) ?? ''
}

async function* bounded(
  file: AsyncIterable<Uint8Array>,
  leastBytes: number,
  mostBytes: number,
): AsyncGenerator<Uint8Array> {
  let seenBytes = 0
  for await (const chunk of file) {
    seenBytes += chunk.byteLength
    if (seenBytes > mostBytes) throw new Refusal(400, 'EntityTooLarge', `the file has more than ${mostBytes} bytes`)
    yield chunk
  }
  if (seenBytes < leastBytes) throw new Refusal(400, 'EntityTooSmall', `the file has less than ${leastBytes} bytes`)
}

async function locationOf(store: LocalStore, key: string): Promise<string> {
  const url = await store.capabilities.powers.publicAccess?.url(key).catch(() => undefined)
  return url ?? urlBehind('', key)
}

function answer(
  response: ServerResponse,
  fields: ReadonlyMap<string, string>,
  key: string,
  { etag }: WriteResult,
  location: string,
): void {
  const redirect = fields.get('success_action_redirect')
  if (redirect !== undefined && URL.canParse(redirect)) {
    const target = new URL(redirect)
    target.searchParams.set('key', key)
    target.searchParams.set('etag', `"${etag}"`)
    response.writeHead(303, { location: target.href, 'content-length': 0 }).end()
    return
  }
  const wanted = Number(fields.get('success_action_status'))
  if (wanted !== 201) {
    response.writeHead(wanted === 200 ? 200 : 204, { etag: `"${etag}"`, location }).end()
    return
  }
  const content = [
    element('Location', escaped(location)),
    element('Key', escaped(key)),
    element('ETag', escaped(`"${etag}"`)),
  ]
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n${element('PostResponse', content.join(''))}\n`
  const length = Buffer.byteLength(body)
  response
    .writeHead(201, { 'content-type': 'application/xml', 'content-length': length, etag: `"${etag}"`, location })
    .end(body)
}

function ignore(): void {}
