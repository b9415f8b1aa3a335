import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { socketPair } from '../../system/descriptors.js'

/** What is used of Node's internal pipe handle: libuv's non-blocking reads on any descriptor that can be polled. */
interface PipeHandle {
  open(descriptor: number): number | undefined
}

type PipeConstructor = new (type: number) => PipeHandle

/** The `type` of a plain pipe: no server and no ipc. */
const PLAIN = 0

/** Options of net.Socket that its documentation lacks or that its types know only elsewhere. */
interface HandleSocketOptions {
  readonly handle: PipeHandle
  readonly onread: {
    readonly buffer: () => Uint8Array
    readonly callback: (bytes: number, buffer: Uint8Array) => boolean
  }
}

/**
 * A socket that reads from a descriptor of a character device, /dev/fuse, which no documented call of Node does without
 * holding a thread. It owns the descriptor from then on. Throws where this Node lacks the internal handle.
 */
export function readingSocket(descriptor: number, onread: HandleSocketOptions['onread']): Socket {
  const Pipe = pipeConstructor()
  const handle = new Pipe(PLAIN)
  const result = handle.open(descriptor)
  if (result !== undefined && result < 0) throw new Error(`the pipe handle does not take /dev/fuse (${result})`)
  const options: HandleSocketOptions = { handle, onread }
  return new Socket(options as ConstructorParameters<typeof Socket>[0])
}

/** Taken from a live socket, since Node does not export it. */
function pipeConstructor(): PipeConstructor {
  const [ours, other] = socketPair()
  const socket = new Socket({ fd: ours })
  try {
    const handle = (socket as unknown as { readonly _handle?: unknown })._handle
    const Pipe = typeof handle === 'object' && handle !== null ? handle.constructor : undefined
    if (typeof Pipe !== 'function' || typeof Pipe.prototype?.open !== 'function')
      throw new Error(
        `Node ${process.version} has no pipe handle of the kind that the kernel transport needs; use --transport fuse-native`,
      )
    return Pipe as PipeConstructor
  } finally {
    socket.destroy()
    closeSync(other)
  }
}
