import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { errnoNumber } from '../../src/fuse/errno.js'
import { hasMemory, parseDeath, parseFdinfo } from '../../src/fuse/kernel/holders.js'
import { showsDeath } from '../../src/fuse/kernel/interrupts.js'
import { fusermountOptions, systemMountOptions } from '../../src/fuse/kernel/mount-options.js'
import { Request } from '../../src/fuse/kernel/request.js'
import { WriteBuffers } from '../../src/fuse/kernel/write-buffers.js'
import { mountAt, parseMountTable } from '../../src/fuse/mount-table.js'
import { messageOf } from '../../src/fuse/protocol/message.js'
import type { TransportOptions } from '../../src/fuse/transport.js'
import { checkXattrName, joinXattrNames, xattrDemand } from '../../src/fuse/xattrs.js'

describe('pending signals', () => {
  const status = (masks: Readonly<Record<string, number>>) =>
    ['SigPnd', 'ShdPnd', 'SigBlk', 'SigIgn', 'SigCgt']
      .map(name => `${name}:\t${(masks[name] ?? 0).toString(16).padStart(16, '0')}\n`)
      .join('')
  const [KILL, TERM, CHLD, SEGV] = [1 << 8, 1 << 14, 1 << 16, 1 << 10]

  it.each([
    ['nothing', {}, false],
    ['SIGKILL for the thread', { SigPnd: KILL }, true],
    ['SIGKILL for the process', { ShdPnd: KILL }, true],
    ['a handled signal', { ShdPnd: TERM, SigCgt: TERM }, false],
    ['a fatal signal behind a handled one', { ShdPnd: TERM | SEGV, SigCgt: SEGV }, true],
    ['an ignored signal', { ShdPnd: TERM, SigIgn: TERM }, false],
    ['a blocked signal', { ShdPnd: TERM, SigBlk: TERM }, false],
    ['a signal that kills nobody', { SigPnd: CHLD }, false],
  ])('%s', (_, masks, dies) => {
    expect(showsDeath(status(masks))).toBe(dies)
  })

  it('can not be read out of nothing', () => {
    expect(showsDeath('')).toBe(false)
  })
})

describe('/proc', () => {
  it('tells of descriptors', () => {
    const text = 'pos:\t0\nflags:\t0100002\nmnt_id:\t54\nino:\t1234\n'
    expect(parseFdinfo(text)).toEqual({ ino: 1234, mountId: 54, writable: true })
    expect(parseFdinfo(text.replace('0100002', '0100000')).writable).toBe(false)
  })

  it('tells how a process is ending', () => {
    /** Fields 1 to 52 of /proc/TID/stat: flags are the 9th, the exit code the last. */
    const stat = (command: string, flags: number, exitCode: number) =>
      `4711 (${command}) S 1 2 3 4 5 ${flags} ${Array.from({ length: 42 }, (_, i) => i).join(' ')} ${exitCode}\n`
    const [exiting, alive] = [0x40_0004, 0x40_0000]
    expect(stat('sh', alive, 9).trim().split(' ')).toHaveLength(52)
    expect(parseDeath(stat('sh', exiting, 9))).toBe(9)
    expect(parseDeath(stat('sh', alive, 9))).toBeUndefined()
    expect(parseDeath(stat('sh', exiting, 3 << 8))).toBeUndefined()
    // With a core dump.
    expect(parseDeath(stat('sh', exiting, 0x80 | 6))).toBe(6)
    for (const command of ['a b', 'a) S 1 (', ') ) 4 4 4', ' ', '', 'x\ny)'])
      expect([parseDeath(stat(command, exiting, 15)), parseDeath(stat(command, alive, 15))]).toEqual([15, undefined])
    expect(parseDeath('')).toBeUndefined()
  })

  it('tells whether a process has given up its memory', () => {
    expect(hasMemory('1533 902 610 154 0 380 0\n')).toBe(true)
    expect(hasMemory('0 0 0 0 0 0 0\n')).toBe(false)
  })

  it('tells of mounts, the uppermost of a path', () => {
    const table = [
      '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
      '43 27 0:40 / /mnt/a\\040b rw,nosuid - fuse.mount-bucket s3://x rw',
      '44 43 0:41 / /mnt/a\\040b rw,nosuid shared:4 - fuse.mount-bucket s3://y rw',
      '',
    ].join('\n')
    expect(mountAt(parseMountTable(table), '/mnt/a b')).toMatchObject({ mountId: 44, device: '0:41' })
    expect(mountAt(parseMountTable(table), '/mnt')).toBeUndefined()
  })
})

describe('options of a mount', () => {
  const options: TransportOptions = {
    mountPoint: '/m',
    source: 's3://a,b\\c',
    readOnly: false,
    allowOther: false,
    allowRoot: false,
    defaultPermissions: true,
    mountOptions: [],
    owner: { uid: 0, gid: 0 },
    kernelReadAheadBytes: 0,
    log: SILENT,
  }

  it('become flags and data of mount(2)', () => {
    const data = 'fd=5,rootmode=40000,user_id=0,group_id=7,max_read=1048576,default_permissions'
    expect(systemMountOptions(options, 5, 0, 7)).toEqual({ flags: 6, data })
    const words = ['suid', 'noexec', 'noatime', 'context=x']
    expect(systemMountOptions({ ...options, readOnly: true, mountOptions: words }, 5, 0, 7)).toEqual({
      flags: 1 | 4 | 8 | 1024,
      data: `${data},context=x`,
    })
    expect(systemMountOptions({ ...options, allowRoot: true }, 5, 0, 7).data).toContain(',allow_other,')
  })

  it('become words of fusermount3', () => {
    expect(fusermountOptions({ ...options, readOnly: true, mountOptions: ['noexec'] }, 'mount-bucket')).toBe(
      'fsname=s3://a\\,b\\\\c,subtype=mount-bucket,max_read=1048576,default_permissions,noexec,ro',
    )
  })
})

describe('a request', () => {
  const message = messageOf(Buffer.alloc(40))
  message.bytes.writeUInt32LE(15, 4)
  message.bytes.writeBigUInt64LE(2n ** 33n + 2n, 8)

  it('is read from its header', () => {
    expect(new Request(message)).toMatchObject({ opcode: 15, unique: 2 ** 33 + 2, node: 0, uid: 0, pid: 0, umask: 0 })
  })

  it('shows an abort to who looks before and who looks after', () => {
    const early = new Request(message)
    const { signal } = early
    early.abort()
    const late = new Request(message)
    late.abort()
    expect([signal.aborted, late.signal.aborted, new Request(message).signal.aborted]).toEqual([true, true, false])
  })
})

describe('buffers of writes', () => {
  it('are kept until released, large ones without a copy', () => {
    const rooms: number[] = []
    const buffers = new WriteBuffers(3 << 20, () => rooms.push(1))
    const { bytes: first } = buffers.current
    first.fill('a', 80, 80 + (1 << 20))
    const large = buffers.keep(80, 1 << 20)
    expect(buffers.current.bytes).not.toBe(first)
    buffers.current.bytes.fill('b')
    const small = buffers.keep(80, 100)
    buffers.current.bytes.fill('c')
    expect([Buffer.from(large.data).indexOf('b'), Buffer.from(small.data).indexOf('c')]).toEqual([-1, -1])
    expect(buffers.full).toBe(false)
    const more = [buffers.keep(80, 1 << 20), buffers.keep(80, 1 << 20)]
    expect([buffers.full, rooms.length]).toEqual([true, 0])
    large.release()
    large.release()
    expect([buffers.full, rooms.length]).toEqual([false, 1])
    for (const lease of [small, ...more]) lease.release()
    expect(rooms.length).toBe(1)
  })

  it('are used again', () => {
    const buffers = new WriteBuffers(8 << 20, () => {})
    const { bytes: first } = buffers.current
    buffers.keep(80, 1 << 20).release()
    buffers.keep(80, 1 << 20).release()
    expect(buffers.current.bytes).toBe(first)
  })
})

describe('extended attributes', () => {
  it('are asked for in one namespace only', () => {
    const check = (name: string) => () => checkXattrName(Buffer.from(name))
    expect(check('user.a')).not.toThrow()
    expect(check('user.')).toThrow('EINVAL')
    for (const name of ['security.capability', 'system.posix_acl_access', 'trusted.x', 'user', 'users.a', 'User.a', ''])
      expect(check(name)).toThrow('EOPNOTSUPP')
  })

  it('are demanded to be there or not', () => {
    expect([0, 1, 2].map(xattrDemand)).toEqual([undefined, 'absent', 'present'])
    expect(() => xattrDemand(3)).toThrow('EINVAL')
  })

  it('are listed each with a NUL behind it', () => {
    expect(joinXattrNames([]).length).toBe(0)
    expect(joinXattrNames([Buffer.from('user.a'), Buffer.from('user.bc')]).toString()).toBe('user.a\0user.bc\0')
  })
})

it('errno names have the numbers of this platform', () => {
  expect([errnoNumber('ENOENT'), errnoNumber('ESTALE')]).toEqual([2, constants.errno.ESTALE])
})
