import { closeSync, fsyncSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { pseudoRandomPool } from '../../servers/s3/pseudo-random.js'
import { digestsBelow } from './digests.js'
import { runLoad } from './load.js'
import { numbered, offsets } from './sequences.js'

/** One program: it takes its words and gives what is printed as JSON. Times are its own, without its start. */
type Program = (...words: readonly string[]) => unknown

const PIECE_BYTES = 1024 ** 2

const PROGRAMS: Readonly<Record<string, Program>> = {
  write,
  'first-byte': firstByte,
  'read-at': readAt,
  edit,
  stat,
  digests: (path = '') => digestsBelow(path),
  load: (url = '', connections = '', requests = '', rangeBytes = '', putBytes = '') =>
    runLoad({
      url,
      credentials: { accessKeyId: 'test', secretAccessKey: 'testsecret' },
      connections: Number(connections),
      requests: Number(requests),
      ...(rangeBytes === '' ? {} : { rangeBytes: Number(rangeBytes) }),
      ...(putBytes === '' ? {} : { putBytes: Number(putBytes) }),
    }),
}

/** A new file, in writes of 1 MiB, until close has returned. */
function write(file = '', sizeBytes = ''): unknown {
  const pool = pseudoRandomPool(0x2545f491)
  const pieces = Array.from({ length: Math.ceil(Number(sizeBytes) / PIECE_BYTES) }, (_, index) => {
    const start = (index * 7919 * 64) % (pool.byteLength - PIECE_BYTES)
    return pool.subarray(start, start + Math.min(PIECE_BYTES, Number(sizeBytes) - index * PIECE_BYTES))
  })
  const startMs = performance.now()
  const descriptor = openSync(file, 'w')
  for (const piece of pieces) for (let at = 0; at < piece.byteLength; ) at += writeSync(descriptor, piece, at)
  closeSync(descriptor)
  const seconds = secondsSince(startMs)
  return { seconds, crc32: pieces.reduce((sum, piece) => crc32(piece, sum), 0) }
}

function firstByte(file = ''): unknown {
  const byte = Buffer.alloc(1)
  const startMs = performance.now()
  const descriptor = openSync(file, 'r')
  readSync(descriptor, byte)
  const seconds = secondsSince(startMs)
  closeSync(descriptor)
  return { seconds, crc32: crc32(byte) }
}

/** Pieces at random places, so many at once. */
async function readAt(file = '', sizeBytes = '', count = '', pieceBytes = '', atOnce = ''): Promise<unknown> {
  const places = offsets(Number(sizeBytes), Number(count), Number(pieceBytes))
  const pieces = places.map(() => Buffer.alloc(Number(pieceBytes)))
  const startMs = performance.now()
  await using handle = await open(file, 'r')
  let next = 0
  const reader = async () => {
    for (let index = next++; index < places.length; index = next++) {
      const piece = pieces[index] ?? Buffer.alloc(0)
      await handle.read(piece, 0, piece.byteLength, places[index])
    }
  }
  await Promise.all(Array.from({ length: Number(atOnce) }, reader))
  const seconds = secondsSince(startMs)
  return { seconds, crc32: pieces.reduce((sum, piece) => crc32(piece, sum), 0) }
}

/** Bytes in the middle of a file, until fsync has returned. */
function edit(file = '', offset = '', sizeBytes = ''): unknown {
  const bytes = Buffer.alloc(Number(sizeBytes), 'edit')
  const startMs = performance.now()
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.byteLength, Number(offset))
  fsyncSync(descriptor)
  const seconds = secondsSince(startMs)
  closeSync(descriptor)
  return { seconds }
}

/** `pattern`: with `#` for digits; every `step`th of the names. */
function stat(folder = '', pattern = '', count = '', step = ''): unknown {
  const paths = Array.from({ length: Number(count) }, (_, index) =>
    join(folder, numbered(pattern, index * Number(step))),
  )
  let sizeBytes = 0
  const startMs = performance.now()
  for (const path of paths) sizeBytes += statSync(path).size
  return { seconds: secondsSince(startMs), sizeBytes }
}

function secondsSince(startMs: number): number {
  return (performance.now() - startMs) / 1000
}

const [name = '', ...words] = process.argv.slice(2)
const program = PROGRAMS[name]
if (program === undefined) throw new Error(`no such program: ${name}`)
console.log(JSON.stringify(await program(...words)))
