import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { socketPair } from '../../system/descriptors.js'
import { receiveDescriptor } from '../../system/receive-descriptor.js'
import type { TransportOptions } from '../transport.js'
import { fusermountOptions } from './mount-options.js'

/** libfuse 3's name first, then that of libfuse 2. */
const PROGRAMS = ['fusermount3', 'fusermount'] as const

/** The descriptor in the child that fusermount sends /dev/fuse through. */
const CHILD_SOCKET = 3

interface Outcome {
  readonly code: number | null
  readonly message: string
}

/** Mounts by the setuid program and gives the descriptor of /dev/fuse that it opened. */
export async function fusermount(options: TransportOptions, mountPoint: string, subtype: string): Promise<number> {
  const [ours, theirs] = socketPair()
  try {
    const { code, message } = await run(['-o', fusermountOptions(options, subtype), '--', mountPoint], theirs)
    if (code !== 0) throw new Error(`fusermount3 could not mount: ${message || `exit code ${code}`}`)
    return await receive(ours, mountPoint)
  } finally {
    closeSync(ours)
    closeSync(theirs)
  }
}

/** A mount whose descriptor does not arrive is nobody's: it goes again. */
async function receive(socket: number, mountPoint: string): Promise<number> {
  try {
    return receiveDescriptor(socket)
  } catch (error) {
    await fusermountUnmount(mountPoint, { lazy: true })
    throw error
  }
}

/** Unmounts by the setuid program. The error has `code` EBUSY when the mount is in use. */
export async function fusermountUnmount(mountPoint: string, options: { readonly lazy: boolean }): Promise<void> {
  const { code, message } = await run([options.lazy ? '-uz' : '-u', '--', mountPoint])
  if (code === 0) return
  // The exit code is 1 for everything; the text is strerror's in the C locale.
  const busy = message.includes('Device or resource busy')
  throw Object.assign(new Error(`fusermount3 could not unmount: ${message || `exit code ${code}`}`), {
    code: busy ? 'EBUSY' : 'EIO',
  })
}

/** `env` sets the variable and finds the program; it exits with 127 where there is none. */
const NOT_FOUND = 127

async function run(args: readonly string[], socket?: number): Promise<Outcome> {
  for (const program of PROGRAMS) {
    const outcome = await runProgram([`_FUSE_COMMFD=${CHILD_SOCKET}`, program, ...args], socket)
    if (outcome.code !== NOT_FOUND) return outcome
  }
  throw new Error('fusermount3 is not installed (Debian package fuse3); only root mounts without it')
}

function runProgram(args: readonly string[], socket: number | undefined): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('env', args, { stdio: ['ignore', 'ignore', 'pipe', socket ?? 'ignore'] })
    let message = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      message = (message + text).slice(-2000)
    })
    child.on('error', reject)
    child.on('close', code => resolve({ code, message: message.trim() }))
  })
}
