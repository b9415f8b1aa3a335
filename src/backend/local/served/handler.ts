import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Log } from '../../log.js'
import type { ObjectInfo } from '../../object-store.js'
import { isStoreError } from '../../store-error.js'
import type { LocalSigning } from '../local-signing.js'
import type { LocalStore } from '../local-store.js'
import { uploadByForm } from './form-upload.js'
import { attachmentsOf, headerOf, replyHeaders } from './object-headers.js'
import { answerFor } from './read-conditions.js'
import { asRefusal, Refusal, sendRefusal } from './refusal.js'
import { type RequestTarget, readTarget } from './request-target.js'

interface Served {
  readonly store: LocalStore
  readonly signing: LocalSigning
  readonly isReadOnly: boolean
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** How often a GET begins anew when the object is replaced between its head and its bytes. */
const MAX_TRIES = 5

/**
 * Answers the URLs of a folder's objects: public ones to everybody, all else to whom a signature permits it. Never
 * throws; what fails here is logged, and told to the client without what concerns this machine.
 */
export function folderHandler(served: Served, log: Log): Handler {
  return (request, response) => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const answered = answer(served, request, response, gone.signal)
    answered.catch((error: unknown) => {
      const refusal = asRefusal(error)
      const { method, socket } = request
      if (refusal.status >= 500 && !gone.signal.aborted) log.warn('a request failed', { method, error })
      else log.debug('refused a request', { method, from: socket.remoteAddress, code: refusal.code })
      // Read to its end, so that who still sends sees the answer.
      request.resume()
      sendRefusal(response, refusal, method === 'HEAD')
    })
  }
}

async function answer(
  { store, signing, isReadOnly }: Served,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const target = readTarget(request.url ?? '/')
  if (isReadOnly && request.method !== 'GET' && request.method !== 'HEAD')
    throw new Refusal(405, 'MethodNotAllowed', 'nothing is changed here')
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      await permit(store, signing, request, target, true)
      return sendObject(store, target, request, response, signal)
    case 'PUT':
      await permit(store, signing, request, target, false)
      return takeObject(store, target.key, request, response, signal)
    case 'DELETE':
      await permit(store, signing, request, target, false)
      return removeObject(store, target.key, response, signal)
    case 'POST':
      if (target.key !== '' || target.query.size > 0) break
      return uploadByForm(store, signing, request, response, signal)
  }
  throw new Refusal(405, 'MethodNotAllowed', 'that is not done here')
}

/** A refusal of what is not public says as much of what does not exist. */
async function permit(
  store: LocalStore,
  signing: LocalSigning,
  request: IncomingMessage,
  { key, query }: RequestTarget,
  isRead: boolean,
): Promise<void> {
  if (key === '') throw new Refusal(403, 'AccessDenied', 'the folder is not listed')
  if (query.has('X-Amz-Signature')) {
    const header = (name: string) => headerOf(request.headers, name)
    const reason = await signing.refusalOf({ method: request.method ?? '', key, query, header })
    if (reason !== undefined) throw new Refusal(403, 'AccessDenied', reason)
    const signed = (query.get('X-Amz-SignedHeaders') ?? '').split(';')
    const unsigned = Object.keys(request.headers).find(name => name.startsWith('x-amz-') && !signed.includes(name))
    if (unsigned !== undefined) throw new Refusal(403, 'AccessDenied', `the header ${unsigned} is not signed`)
    return
  }
  if (!isRead || !(await isPublic(store, key))) throw new Refusal(403, 'AccessDenied', 'that needs a signature')
  if (query.size > 0) throw new Refusal(400, 'InvalidRequest', 'parameters need a signature')
}

async function isPublic(store: LocalStore, key: string): Promise<boolean> {
  try {
    return (await store.capabilities.powers.publicAccess?.isPublic(key)) === true
  } catch (error) {
    if (isStoreError(error, 'not-found', 'invalid')) return false
    throw error
  }
}

async function sendObject(
  store: LocalStore,
  { key, query }: RequestTarget,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const info = await store.head(key, { signal })
    try {
      return await sendVersion(store, info, query, request, response, signal)
    } catch (error) {
      const isReplaced = isStoreError(error, 'precondition-failed', 'not-found')
      if (!isReplaced || response.headersSent || tries >= MAX_TRIES) throw error
    }
  }
}

async function sendVersion(
  store: LocalStore,
  info: ObjectInfo,
  query: ReadonlyMap<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const headers = replyHeaders(info, query)
  const found = answerFor(request.headers, info)
  if (found.status === 304) {
    response.writeHead(304, headers).end()
    return
  }
  const { status } = found
  const range = found.status === 206 ? found.range : undefined
  const lengthBytes = range?.lengthBytes ?? info.sizeBytes
  headers['content-length'] = String(lengthBytes)
  if (range !== undefined)
    headers['content-range'] = `bytes ${range.offset}-${range.offset + lengthBytes - 1}/${info.sizeBytes}`
  if (request.method === 'HEAD') {
    response.writeHead(status, headers).end()
    return
  }
  const { body } = await store.get(info.key, { range, ifMatch: info.etag, signal })
  response.writeHead(status, headers)
  await pipeline(Readable.from(body, { objectMode: false }), response)
}

async function takeObject(
  store: LocalStore,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const sizeBytes = Number(request.headers['content-length'])
  if (!Number.isSafeInteger(sizeBytes)) throw new Refusal(411, 'MissingContentLength', 'the length must be told')
  const header = (name: string) => headerOf(request.headers, name)
  const ifNoneMatch = header('if-none-match')
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*')
    throw new Refusal(501, 'NotImplemented', 'If-None-Match is * for uploads')
  const { etag } = await store.put(
    key,
    { sizeBytes, open: () => request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array> },
    {
      ...attachmentsOf(header, Object.keys(request.headers)),
      ifMatch: header('if-match')?.replaceAll('"', ''),
      ifNoneMatch,
      signal,
    },
  )
  response.writeHead(200, { etag: `"${etag}"`, 'content-length': 0 }).end()
}

async function removeObject(
  store: LocalStore,
  key: string,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const [result] = await store.delete([{ key }], { signal })
  if (result?.error !== undefined) throw result.error
  response.writeHead(204).end()
}
