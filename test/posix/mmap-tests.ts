import { readFile, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { testBytes } from '../support/store-tools.js'
import type { PosixTests } from './posix-context.js'

export const MMAP_TESTS = {
  'a mapped file is read': async t => {
    const bytes = Buffer.from(testBytes(300_001))
    await writeFile(t.path('f'), bytes)
    const script = `
with open("f", "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
  sys.stdout.write(m[0:8].hex() + m[150000:150008].hex() + m[-8:].hex())`
    const expected = [bytes.subarray(0, 8), bytes.subarray(150_000, 150_008), bytes.subarray(-8)]
    expect(await t.python(script)).toBe(Buffer.concat(expected).toString('hex'))
  },
  'what is written into a shared mapping is stored': async t => {
    const bytes = Buffer.from(testBytes(50_000))
    await writeFile(t.path('f'), bytes)
    await t.python(`
f = open("f", "r+b")
m = mmap.mmap(f.fileno(), 0)
m[10:15] = b"HELLO"
m.flush()
m[40000:40002] = b"!!"
m.close()
f.close()`)
    bytes.write('HELLO', 10)
    bytes.write('!!', 40_000)
    expect((await readFile(t.path('f'))).equals(bytes)).toBe(true)
  },
  'read and write see a shared mapping, and it sees them': async t => {
    await writeFile(t.path('f'), Buffer.alloc(8192, 'a'))
    const script = `
f = open("f", "r+b", buffering=0)
m = mmap.mmap(f.fileno(), 0)
m[0:3] = b"map"
seen = os.pread(f.fileno(), 3, 0)
os.pwrite(f.fileno(), b"write", 5000)
print(seen.decode(), m[5000:5005].decode())`
    expect(await t.python(script)).toBe('map write\n')
    expect((await readFile(t.path('f'))).subarray(5000, 5005).toString()).toBe('write')
  },
  'a mapping outlives its descriptor': async t => {
    await writeFile(t.path('f'), Buffer.alloc(8192, 'a'))
    await t.python(`
fd = os.open("f", os.O_RDWR)
m = mmap.mmap(fd, 8192)
os.close(fd)
m[100:104] = b"late"
m.flush()
m.close()`)
    expect((await readFile(t.path('f'))).subarray(100, 104).toString()).toBe('late')
  },
  'a private mapping changes nothing': async t => {
    await writeFile(t.path('f'), Buffer.alloc(8192, 'a'))
    await t.python(`
f = open("f", "r+b")
m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)
m[0:4] = b"mine"
m.close()`)
    expect((await readFile(t.path('f'))).every(byte => byte === 0x61)).toBe(true)
  },
  'a new file is filled through a mapping': async t => {
    await t.python(`
f = open("f", "w+b")
f.truncate(20000)
m = mmap.mmap(f.fileno(), 20000)
m[19990:20000] = b"0123456789"
m.flush()
m.close()
f.close()`)
    const bytes = await readFile(t.path('f'))
    expect([bytes.length, bytes.subarray(19_990).toString()]).toEqual([20_000, '0123456789'])
  },
} satisfies PosixTests
