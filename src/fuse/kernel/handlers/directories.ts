import { DirectoryWriter } from '../../protocol/directory-writer.js'
import type { Message } from '../../protocol/message.js'
import { readHandle, readRead } from '../../protocol/requests.js'
import type { Request } from '../request.js'
import type { Handler, Serving } from './handler.js'

/** `keepCache` is not passed on: the kernel would keep the listing without expiry. */
export const opendir: Handler = async (request, _message, { filesystem, replies }) => {
  const { handle } = await filesystem.opendir(request.node, request)
  if (!replies.open(request, { handle, keepCache: false }, { noFlush: false })) await filesystem.releasedir(handle)
}

export const readdir: Handler = async (request, message, serving) => list(request, message, serving, false)

export const readdirplus: Handler = async (request, message, serving) => list(request, message, serving, true)

export const releasedir: Handler = async (request, message, { filesystem, replies }) => {
  await filesystem.releasedir(readHandle(message))
  replies.empty(request)
}

async function list(request: Request, message: Message, serving: Serving, plus: boolean): Promise<void> {
  const { filesystem, replies } = serving
  const { handle, offset, sizeBytes } = readRead(message)
  const writer = new DirectoryWriter(sizeBytes, plus)
  let arrived = false
  try {
    await filesystem.readdir(handle, offset, plus, writer, request)
    arrived = replies.prepared(request, writer.message)
  } finally {
    if (!arrived) for (const node of writer.takenNodes) filesystem.forget(node, 1)
  }
}
