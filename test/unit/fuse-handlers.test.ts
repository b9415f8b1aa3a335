import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { FsError } from '../../src/fs/fs-error.js'
import { Device } from '../../src/fuse/kernel/device.js'
import { HANDLERS } from '../../src/fuse/kernel/handlers/table.js'
import { Replies } from '../../src/fuse/kernel/replies.js'
import { Request } from '../../src/fuse/kernel/request.js'
import { messageOf } from '../../src/fuse/protocol/message.js'
import { Opcode } from '../../src/fuse/protocol/opcodes.js'
import { MemoryFilesystem } from '../support/fuse-memory-filesystem.js'

const folder = mkdtempSync(join(tmpdir(), 'fuse-handlers-'))
afterAll(() => rmSync(folder, { recursive: true }))

const copied: number[] = []

/** Answers what no program can get out of a mount of this kernel. */
const filesystem = new (class extends MemoryFilesystem {
  override async readlink(node: number) {
    return Buffer.alloc(node, 'x')
  }
  override async copyFileRange(_from: number, _fromOffset: number, _to: number, _toOffset: number, sizeBytes: number) {
    copied.push(sizeBytes)
    return sizeBytes
  }
})({ FsError, ttlMs: 0, trace: () => {} })

let answers = 0

/** The body of the answer to one request; the device is a plain file. */
async function answer(opcode: number, node: number, ...fields: readonly bigint[]): Promise<Buffer> {
  const bytes = Buffer.alloc(40 + 8 * fields.length)
  bytes.writeUInt32LE(opcode, 4)
  bytes.writeBigUInt64LE(77n, 8)
  bytes.writeBigUInt64LE(BigInt(node), 16)
  for (const [i, field] of fields.entries()) bytes.writeBigUInt64LE(field, 40 + 8 * i)
  const path = join(folder, String(++answers))
  const message = messageOf(bytes)
  const device = new Device(openSync(path, 'w'), SILENT)
  try {
    const serving = { filesystem, replies: new Replies(device), keep: () => ({ data: bytes, release: () => {} }) }
    await HANDLERS.get(opcode)?.(new Request(message), message, serving)
  } finally {
    device.close()
  }
  const reply = readFileSync(path)
  expect([reply.readUInt32LE(0), reply.readInt32LE(4), reply.readBigUInt64LE(8)]).toEqual([reply.length, 0, 77n])
  return reply.subarray(16)
}

it('a target that the kernel would refuse is an error of its own', async () => {
  expect((await answer(Opcode.READLINK, 4095)).toString()).toBe('x'.repeat(4095))
  expect((await answer(Opcode.READLINK, 0)).length).toBe(0)
  await expect(answer(Opcode.READLINK, 4096)).rejects.toMatchObject({ errno: 'ENAMETOOLONG' })
})

it('a copy is as long as its answer can tell', async () => {
  const ranges = [1n, 0n, 5n, 2n, 0n, 2n ** 33n, 0n] as const
  expect((await answer(Opcode.COPY_FILE_RANGE, 5, ...ranges)).readBigUInt64LE()).toBe(0x7fff_f000n)
  expect((await answer(Opcode.COPY_FILE_RANGE_64, 5, ...ranges)).readBigUInt64LE()).toBe(2n ** 33n)
  expect(copied).toEqual([0x7fff_f000, 2 ** 33])
  await expect(answer(Opcode.COPY_FILE_RANGE_64, 5, ...ranges.slice(0, 6), 1n)).rejects.toMatchObject({
    errno: 'EINVAL',
  })
})

it('ranges and origins that nobody knows are refused', async () => {
  await expect(answer(Opcode.FALLOCATE, 5, 1n, 0n, 10n, 8n)).rejects.toMatchObject({ errno: 'EOPNOTSUPP' })
  await expect(answer(Opcode.LSEEK, 5, 1n, 0n, 2n)).rejects.toMatchObject({ errno: 'EINVAL' })
})
