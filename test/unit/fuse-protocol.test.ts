import { describe, expect, it } from 'vitest'
import type { Attributes, DirectoryEntry, Entry } from '../../src/fs/operations.js'
import { ENTRY_OUT_BYTES, putAttrOut, putEntryOut } from '../../src/fuse/protocol/attributes.js'
import { DirectoryWriter } from '../../src/fuse/protocol/directory-writer.js'
import { negotiate } from '../../src/fuse/protocol/init.js'
import { type Message, messageOf, numbersOf } from '../../src/fuse/protocol/message.js'
import {
  encodeEntryInvalidation,
  encodeNodeInvalidation,
  encodeRetrieval,
  retrievalUnique,
} from '../../src/fuse/protocol/notifications.js'
import { putOpenOut, writeStatfsOut } from '../../src/fuse/protocol/replies.js'
import * as requests from '../../src/fuse/protocol/requests.js'
import { readInt64, readUint64, writeInt64 } from '../../src/fuse/protocol/uint64.js'

import { putInt64, wordsOf } from '../../src/fuse/protocol/words.js'
import {
  isOfUser,
  readGetxattr,
  readListxattr,
  readRemovexattr,
  readSetxattr,
} from '../../src/fuse/protocol/xattr-requests.js'

/** A message: 40 bytes of header and the fields `[bytes, value]` of a body; a string is a name with its NUL. */
function message(...fields: readonly (readonly [2 | 4 | 8, number | bigint] | string)[]): Message {
  const parts = fields.map(field => {
    if (typeof field === 'string') return Buffer.from(`${field}\0`)
    const part = Buffer.alloc(8)
    part.writeBigUInt64LE(BigInt.asUintN(64, BigInt(field[1])))
    return part.subarray(0, field[0])
  })
  // The buffer that requests are read into is longer, and holds what was there before.
  return messageOf(Buffer.concat([Buffer.alloc(40, 0xee), ...parts, Buffer.alloc(64, 0xee)]))
}

const attributes: Attributes = {
  ino: 2 ** 40 + 7,
  sizeBytes: 5_000_000_001,
  mode: 0o100640,
  nlink: 2,
  uid: 1000,
  gid: 4_294_967_294,
  rdev: 0,
  atime: { seconds: -2, nanoseconds: 500 },
  mtime: { seconds: 1_700_000_000, nanoseconds: 999_999_999 },
  ctime: { seconds: 3, nanoseconds: 4 },
}
const entry: Entry = { node: 12, entryTtlMs: 1500, ttlMs: 250.5, attributes }

describe('64-bit fields', () => {
  it.each([0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -(2 ** 32), -(2 ** 40) - 5])('carry %d', value => {
    const buffer = Buffer.alloc(8)
    writeInt64(buffer, value, 0)
    expect(buffer.readBigInt64LE()).toBe(BigInt(value))
    expect(readInt64(numbersOf(buffer), 0)).toBe(value)
    if (value >= 0) expect(readUint64(numbersOf(buffer), 0)).toBe(value)
    const words = Buffer.alloc(16, 0xee)
    putInt64(wordsOf(words), 1, value)
    expect(words.readBigInt64LE(4)).toBe(BigInt(value))
  })
})

describe('INIT', () => {
  const init = (major: number, minor: number, flags: number) =>
    message([4, major], [4, minor], [4, 131_072], [4, flags], [4, 0]).bytes

  it('takes the smaller version, and of the flags what both have', () => {
    const reply = Buffer.alloc(200, 0xee)
    expect(negotiate(init(7, 99, 0xffff_ffff), 40, reply)).toEqual({ kind: 'agreed', minor: 45, replyBytes: 64 })
    expect([reply.readUInt32LE(16), reply.readUInt32LE(20), reply.readUInt32LE(24)]).toEqual([7, 45, 131_072])
    const flags = reply.readUInt32LE(28)
    const bits = Array.from({ length: 32 }, (_, bit) => bit).filter(bit => flags & (1 << bit))
    expect(bits).toEqual([0, 3, 5, 13, 14, 18, 22, 23, 28, 30])
    expect([reply.readUInt32LE(36), reply.readUInt32LE(40), reply.readUInt16LE(44)]).toEqual([1 << 20, 1, 256])
    expect(reply.subarray(46, 80).every(byte => byte === 0)).toBe(true)
    expect(negotiate(init(7, 31, 1), 40, reply)).toMatchObject({ kind: 'agreed', minor: 31 })
    expect(reply.readUInt32LE(28)).toBe(1)
  })

  it('asks a later major version again and refuses an old one', () => {
    const reply = Buffer.alloc(200)
    expect(negotiate(init(8, 0, 0), 40, reply).kind).toBe('again')
    expect(reply.readUInt32LE(16)).toBe(7)
    expect(negotiate(init(7, 30, 0), 40, reply)).toEqual({ kind: 'too-old', version: '7.30' })
  })
})

describe('replies', () => {
  it('lay out attributes', () => {
    const buffer = Buffer.alloc(104, 0xee)
    putAttrOut(wordsOf(buffer), 0, entry)
    const u64 = [0, 16, 24, 32, 40, 48, 56].map(at => buffer.readBigInt64LE(at))
    expect(u64).toEqual([0n, 2n ** 40n + 7n, 5_000_000_001n, 9_765_626n, -2n, 1_700_000_000n, 3n])
    const u32 = [8, 12, 64, 68, 72, 76, 80, 84, 88, 92, 96, 100].map(at => buffer.readUInt32LE(at))
    expect(u32).toEqual([250_500_000, 0, 500, 999_999_999, 4, 0o100640, 2, 1000, 4_294_967_294, 0, 131_072, 0])
  })

  it('lay out entries, found and not', () => {
    const buffer = Buffer.alloc(128, 0xee)
    putEntryOut(wordsOf(buffer), 0, entry)
    expect([0, 8, 16, 24, 40].map(at => buffer.readBigUInt64LE(at))).toEqual([12n, 0n, 1n, 0n, 2n ** 40n + 7n])
    expect([buffer.readUInt32LE(32), buffer.readUInt32LE(36)]).toEqual([500_000_000, 250_500_000])
    putEntryOut(wordsOf(buffer), 0, { node: 0, entryTtlMs: Number.POSITIVE_INFINITY })
    expect([buffer.readBigUInt64LE(0), buffer.readBigUInt64LE(16)]).toEqual([0n, 1_000_000_000n])
    putEntryOut(wordsOf(buffer), 0, { node: 0, entryTtlMs: -5 })
    expect(buffer.every(byte => byte === 0)).toBe(true)
  })

  it('lay out opened files and the size of the filesystem', () => {
    const buffer = Buffer.alloc(80, 0xee)
    putOpenOut(wordsOf(buffer), 0, { handle: 9, keepCache: true }, { noFlush: true })
    expect([buffer.readBigUInt64LE(0), buffer.readBigUInt64LE(8)]).toEqual([9n, 0b100010n])
    writeStatfsOut(buffer, 0, {
      blockSizeBytes: 4096,
      totalBlocks: 2 ** 40,
      freeBlocks: 5,
      totalFiles: 7,
      freeFiles: 6,
      maxNameBytes: 255,
    })
    expect([0, 8, 16, 24, 32].map(at => buffer.readBigUInt64LE(at))).toEqual([2n ** 40n, 5n, 5n, 7n, 6n])
    expect([40, 44, 48, 52].map(at => buffer.readUInt32LE(at))).toEqual([4096, 255, 4096, 0])
  })
})

describe('listings', () => {
  const named = (name: string, more: Partial<DirectoryEntry> = {}): DirectoryEntry => ({
    name: Buffer.from(name),
    ino: 5,
    mode: 0o040755,
    nextOffset: 77,
    entry: undefined,
    ...more,
  })

  it('hold aligned entries until they are full', () => {
    const writer = new DirectoryWriter(72, false)
    expect([writer.add(named('abc')), writer.add(named('12345678')), writer.add(named('x'))]).toEqual([
      true,
      true,
      false,
    ])
    const { message: reply } = writer
    expect(reply.length).toBe(16 + 32 + 32)
    expect([16, 24].map(at => reply.readBigUInt64LE(at))).toEqual([5n, 77n])
    expect([32, 36].map(at => reply.readUInt32LE(at))).toEqual([3, 4])
    expect(reply.toString('latin1', 40, 48)).toBe('abc\0\0\0\0\0')
    expect(reply.toString('latin1', 72, 80)).toBe('12345678')
  })

  it('hold attributes where they are known, and count those lookups', () => {
    const writer = new DirectoryWriter(4096, true)
    writer.add(named('.'))
    writer.add(named('file', { mode: 0o100600, entry }))
    const { message: reply } = writer
    const second = 16 + ENTRY_OUT_BYTES + 32
    expect(reply.subarray(16, 16 + ENTRY_OUT_BYTES).every(byte => byte === 0)).toBe(true)
    expect(reply.readBigUInt64LE(second)).toBe(12n)
    expect(reply.readUInt32LE(second + ENTRY_OUT_BYTES + 20)).toBe(8)
    expect(reply.toString('latin1', second + ENTRY_OUT_BYTES + 24)).toBe('file\0\0\0\0')
    expect(writer.takenNodes).toEqual([12])
  })
})

describe('requests', () => {
  it('tell names', () => {
    expect(requests.readName(message('näme')).toString()).toBe('näme')
    expect(requests.readMkdir(message([4, 0o1755], [4, 0o22], 'd'))).toEqual({ mode: 0o1755, name: Buffer.from('d') })
    const made = requests.readMknod(message([4, 0o060644], [4, 0x1110_0370], [4, 0o22], [4, 0], 'f'))
    expect(made).toEqual({ mode: 0o060644, rdev: 0x1110_0370, name: Buffer.from('f') })
  })

  it('tell links, whose target stays', () => {
    const sent = message('link', '../a b')
    const { name, target } = requests.readSymlink(sent)
    expect(name.toString()).toBe('link')
    sent.bytes.fill(0)
    expect(Buffer.from(target).toString()).toBe('../a b')
  })

  it('tell which ranges to allocate, punch and zero', () => {
    const range = (mode: number) =>
      requests.readFallocate(message([8, 4], [8, 2 ** 33], [8, 2 ** 34], [4, mode], [4, 0]))
    expect(range(0)).toEqual({
      handle: 4,
      offset: 2 ** 33,
      sizeBytes: 2 ** 34,
      options: { kind: 'allocate', keepSize: false },
    })
    expect([1, 3, 0x10, 0x11].map(mode => range(mode).options)).toEqual([
      { kind: 'allocate', keepSize: true },
      { kind: 'punch', keepSize: true },
      { kind: 'zero', keepSize: false },
      { kind: 'zero', keepSize: true },
    ])
    // Without KEEP_SIZE, both at once, collapse, insert, unshare.
    for (const mode of [2, 0x13, 8, 0x20, 0x40, 0x41]) expect(range(mode).options).toBeUndefined()
  })

  it('tell what to seek and to copy', () => {
    const seek = (whence: number) => requests.readLseek(message([8, 4], [8, 2 ** 40], [4, whence], [4, 0]))
    expect(seek(3)).toEqual({ handle: 4, offset: 2 ** 40, what: 'data' })
    expect([seek(4).what, seek(2).what]).toEqual(['hole', undefined])
    const copy = message([8, 4], [8, 10], [8, 99], [8, 5], [8, 2 ** 33], [8, 2 ** 34], [8, 1])
    expect(requests.readCopyFileRange(copy)).toEqual({
      from: 4,
      fromOffset: 10,
      to: 5,
      toOffset: 2 ** 33,
      sizeBytes: 2 ** 34,
      flags: 1,
    })
  })

  it('tell whether an extended attribute is one that may be kept', () => {
    const isKept = (name: string) => isOfUser(message([4, 100], [4, 0], name))
    expect(['user.a', 'user.'].map(isKept)).toEqual([true, true])
    for (const name of ['security.capability', 'system.posix_acl_access', 'trusted.x', 'user', 'users.a', 'User.a', ''])
      expect(isKept(name)).toBe(false)
  })

  it('tell extended attributes, as copies', () => {
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
    const get = message([4, 100], [4, 0], 'user.a')
    const got = readGetxattr(get)
    const set = message([4, 4], [4, 2], 'user.b', 'a')
    set.bytes.set(Buffer.from('\0x\0y'), 40 + 8 + 7)
    const { name, value, flags } = readSetxattr(set)
    const remove = message('user.c')
    const removed = readRemovexattr(remove)
    expect(readListxattr(message([4, 7], [4, 0]))).toBe(7)
    for (const sent of [get, set, remove]) sent.bytes.fill('z')
    expect([got.roomBytes, text(got.name)]).toEqual([100, 'user.a'])
    expect([text(name), text(value), flags]).toEqual(['user.b', '\0x\0y', 2])
    expect(text(removed)).toBe('user.c')
    expect(readSetxattr(message([4, 0], [4, 0], 'user.b')).value.length).toBe(0)
  })

  it('tell renames and their flags', () => {
    const plain = requests.readRename(message([8, 9], 'old', 'newer'))
    expect(plain).toMatchObject({ newParent: 9, flags: { noReplace: false, exchange: false } })
    expect([plain.name.toString(), plain.newName.toString()]).toEqual(['old', 'newer'])
    const flagged = (flags: number) => requests.readRename2(message([8, 9], [4, flags], [4, 0], 'a', 'b'))
    expect(flagged(1).flags).toEqual({ noReplace: true, exchange: false })
    expect(flagged(2).flags).toEqual({ noReplace: false, exchange: true })
    expect(flagged(4).flags).toBeUndefined()
    expect(flagged(1).newName.toString()).toBe('b')
  })

  it('tell what to set', () => {
    const setattr = (valid: number, mode = 0o100600, [atime, nanoseconds]: readonly [number, number] = [-4, 1]) =>
      requests.readSetattr(
        message(
          ...([
            [4, valid],
            [4, 0],
            [8, 3],
            [8, 2 ** 33],
            [8, 0],
            [8, atime],
            [8, 6],
            [8, 0],
          ] as const),
          ...([
            [4, nanoseconds],
            [4, 2],
            [4, 0],
            [4, mode],
            [4, 0],
            [4, 11],
            [4, 12],
            [4, 0],
          ] as const),
        ),
      )
    // What the kernel has left of a chown of neither user nor group, and of a fallocate on a setuid file.
    for (const [valid, handle] of [
      [0, undefined],
      [1 << 6, 3],
      [1 << 9, undefined],
    ] as const)
      expect(setattr(valid)).toEqual({ handle, changes: { killPrivileges: true } })
    expect(setattr(1, 0o106777).changes).toEqual({ mode: 0o6777 })
    expect(setattr(1 << 1).changes).toEqual({ uid: 11 })
    expect(setattr(1 << 2).changes).toEqual({ gid: 12 })
    expect(setattr(1 << 4, 0, [-(2 ** 34), 999_999_999]).changes).toEqual({
      atime: { seconds: -(2 ** 34), nanoseconds: 999_999_999 },
    })
    expect(setattr((1 << 5) | (1 << 8)).changes).toEqual({ mtime: 'now' })
    expect(setattr(0xa48)).toEqual({ handle: 3, changes: { sizeBytes: 2 ** 33, killPrivileges: true } })
    expect(setattr(0b1111111)).toEqual({
      handle: 3,
      changes: {
        mode: 0o600,
        uid: 11,
        gid: 12,
        sizeBytes: 2 ** 33,
        atime: { seconds: -4, nanoseconds: 1 },
        mtime: { seconds: 6, nanoseconds: 2 },
      },
    })
    expect(setattr(0b1001_1011_0000).changes).toEqual({ atime: 'now', mtime: 'now', killPrivileges: true })
  })

  it('tell how files are opened', () => {
    const flags = { read: false, write: true, append: true, truncate: false, exclusive: false, sync: false }
    expect(requests.readOpen(message([4, 0o2001], [4, 0]))).toEqual({ ...flags, killPrivileges: false })
    const created = requests.readCreate(message([4, 0o4011302], [4, 0o100644], [4, 0], [4, 1], 'new'))
    expect(created).toEqual({
      mode: 0o644,
      name: Buffer.from('new'),
      flags: {
        read: true,
        write: true,
        append: false,
        truncate: true,
        exclusive: true,
        sync: true,
        killPrivileges: true,
      },
    })
  })

  it('tell where to read and write', () => {
    const read = message([8, 4], [8, 2 ** 41], [4, 1 << 20], [4, 0], [8, 0], [4, 0], [4, 0])
    expect(requests.readRead(read)).toEqual({ handle: 4, offset: 2 ** 41, sizeBytes: 1 << 20 })
    const write = message([8, 4], [8, 10], [4, 3], [4, 0b101], [8, 0], [4, 0], [4, 0], 'abc')
    const { dataAt, ...rest } = requests.readWrite(write)
    expect(rest).toEqual({
      handle: 4,
      offset: 10,
      sizeBytes: 3,
      options: { fromPageCache: true, killPrivileges: true },
    })
    expect(write.bytes.toString('latin1', dataAt, dataAt + 3)).toBe('abc')
    expect(requests.readGetattr(message([4, 1], [4, 0], [8, 6]))).toBe(6)
    expect(requests.readGetattr(message([4, 0], [4, 0], [8, 6]))).toBeUndefined()
    expect([requests.readHandle(read), requests.readInterrupt(read), requests.readForget(read)]).toEqual([4, 4, 4])
  })

  it('tell what to forget, one by one', () => {
    const forgotten: number[][] = []
    const batch = message([4, 2], [4, 0], [8, 5], [8, 1], [8, 2 ** 33], [8, 3], [8, 99], [8, 99])
    requests.readBatchForget(batch, (node, lookups) => forgotten.push([node, lookups]))
    expect(forgotten).toEqual([
      [5, 1],
      [2 ** 33, 3],
    ])
  })
})

describe('notifications', () => {
  it('name a node, with all its pages', () => {
    const told = encodeNodeInvalidation(2 ** 35)
    expect([told.length, told.readUInt32LE(0), told.readInt32LE(4)]).toEqual([40, 40, 2])
    expect([8, 16, 24, 32].map(at => told.readBigInt64LE(at))).toEqual([0n, 2n ** 35n, 0n, 0n])
  })

  it('name an entry', () => {
    const told = encodeEntryInvalidation(7, Buffer.from('name'))
    expect([told.length, told.readUInt32LE(0), told.readInt32LE(4)]).toEqual([37, 37, 3])
    expect([told.readBigInt64LE(16), told.readUInt32LE(24), told.readUInt32LE(28)]).toEqual([7n, 4, 0])
    expect(told.toString('latin1', 32)).toBe('name\0')
  })

  it('ask for what is held of a node, which the kernel answers by a request', () => {
    const asked = encodeRetrieval(9, 2 ** 35, 2 ** 33, 65_536)
    expect([asked.length, asked.readUInt32LE(0), asked.readInt32LE(4)]).toEqual([48, 48, 5])
    expect([16, 24, 32].map(at => asked.readBigInt64LE(at))).toEqual([9n, 2n ** 35n, 2n ** 33n])
    expect([asked.readUInt32LE(40), asked.readUInt32LE(44)]).toEqual([65_536, 0])
    expect([retrievalUnique(asked), retrievalUnique(encodeNodeInvalidation(9))]).toEqual([9, undefined])
    const answer = message([8, 0], [8, 2 ** 33], [4, 3], [4, 0], [8, 0], [8, 0], 'abcd')
    expect(requests.readRetrieved(answer).toString('latin1')).toBe('abc')
  })
})
