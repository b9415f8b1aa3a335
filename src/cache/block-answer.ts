import { onAbort } from '../backend/call.js'
import { StoreError } from '../backend/store-error.js'
import type { Block, BlockSource } from './block.js'
import type { AnsweringThreads, OnTicketEnd } from './lanes/answering-threads.js'
import type { ReadReply } from './lanes/read-reply.js'

/** Who reads. Its signal is asked for only when it has to wait: most never need one made. */
export interface Caller {
  readonly signal: AbortSignal
  /** What the signal would tell, for callers that can without having made one. */
  readonly isAborted?: boolean
  onAbort?(run: () => void): () => void
}

/** Bytes from `offset` to `end` of an object, in blocks that are pinned. */
export interface WantedBytes {
  readonly blocks: readonly Block[]
  readonly offset: number
  readonly end: number
}

/** A message to another thread costs more than sending less than this. */
const LEAST_HANDED_BYTES = 64 * 1024

/** Whether a thread should answer although the bytes are here already. */
export function isWorthHanding(reply: ReadReply, sizeBytes: number): boolean {
  return reply.ticket !== undefined && sizeBytes >= LEAST_HANDED_BYTES
}

export function viewsOf({ blocks, offset, end }: WantedBytes): readonly Uint8Array[] {
  return blocks.map(block => block.memory.subarray(Math.max(0, offset - block.offset), end - block.offset))
}

export function haveUpTo(blocks: readonly Block[], end: number): boolean {
  for (const block of blocks) if (!block.hasUpTo(end)) return false
  return true
}

/**
 * Resolves with false once all bytes are there, or with true once a thread has answered the reply with them, which may be
 * before they have all come. Rejects with what a block failed with, and when the caller's signal fires.
 */
export async function answeredElsewhere(
  threads: AnsweringThreads | undefined,
  wanted: WantedBytes,
  reply: ReadReply,
  caller: Caller | undefined,
): Promise<boolean> {
  const { blocks, offset, end } = wanted
  for (;;) {
    const missing = blocks.find(block => !block.hasUpTo(end))
    // What came back may have come too late for its job, or for its caller.
    await missing?.whenFilled(Math.min(end - missing.offset, missing.memory.length), caller?.signal)
    const isThere = haveUpTo(blocks, end)
    const mayHand = !isThere || isWorthHanding(reply, end - offset)
    if (mayHand && (await answeredByThread(threads, wanted, reply, caller))) return true
    if (isThere) return false
  }
}

/** Whether a thread could answer, and has. */
function answeredByThread(
  threads: AnsweringThreads | undefined,
  wanted: WantedBytes,
  reply: ReadReply,
  caller: Caller | undefined,
): Promise<boolean> {
  return new Promise(resolve => {
    if (!handOver(threads, wanted, reply, caller, resolve)) resolve(false)
  })
}

/** As `hand` of the threads; false, too, where only this one can answer. */
export function handOver(
  threads: AnsweringThreads | undefined,
  { blocks, offset, end }: WantedBytes,
  { ticket }: ReadReply,
  caller: Caller | undefined,
  onEnd: OnTicketEnd,
): boolean {
  if (threads === undefined || ticket === undefined) return false
  const parts = blocks.map(block => ({
    memory: block.memory,
    start: Math.max(0, offset - block.offset),
    end: Math.min(end - block.offset, block.memory.length),
    filledBytes: block.filledBytes,
  }))
  return threads.hand(ticket.unique, parts, run => whenGone(caller, run), onEnd)
}

/** As `onAbort` of the caller's signal. */
function whenGone(caller: Caller | undefined, run: () => void): () => void {
  if (caller?.onAbort === undefined || caller.isAborted === true) return onAbort(caller?.signal, run)
  return caller.onAbort(run)
}

/** What a read rejects with whose caller may be gone. */
export function givenUp(error: unknown, source: BlockSource | undefined, caller: Caller | undefined): unknown {
  if (caller?.signal.aborted !== true) return error
  const key = source?.key
  const details = { operation: 'get', cause: error, ...(key !== undefined && { key }) }
  return new StoreError('aborted', 'the read was given up', details)
}
