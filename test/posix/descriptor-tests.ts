import { stat, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { open } from './opened-file.js'
import type { PosixTests } from './posix-context.js'

export const DESCRIPTOR_TESTS = {
  'a duplicate descriptor writes on after the first is closed': async t => {
    await t.python(`
a = os.open("f", os.O_RDWR | os.O_CREAT)
os.write(a, b"one ")
b = os.dup(a)
os.write(b, b"two ")
os.close(a)
os.write(b, b"three")
os.close(b)`)
    expect(await t.text('f')).toBe('one two three')
  },
  'children of a shell share a file': async t => {
    await t.sh('(echo a; echo b; sh -c "echo c") > f; for i in 1 2 3; do echo $i; done >> f')
    expect(await t.text('f')).toBe('a\nb\nc\n1\n2\n3\n')
  },
  'a file that a shell holds open is read while it grows': async t => {
    expect(await t.sh('exec 3> f; echo one >&3; cat f; date > /dev/null; echo two >&3; exec 3>&-; cat f')).toBe(
      'one\none\ntwo\n',
    )
  },
  'processes append side by side and lose nothing': async t => {
    await t.sh(`
for p in 1 2 3 4; do
  (i=0; while [ $i -lt 25 ]; do echo "$p $i" >> log; i=$((i + 1)); done) &
done
wait`)
    const lines = (await t.text('log')).trimEnd().split('\n')
    const expected = [1, 2, 3, 4].flatMap(p => Array.from({ length: 25 }, (_, i) => `${p} ${i}`))
    expect(lines.sort()).toEqual(expected.sort())
  },
  'handles of every kind work on one file': async t => {
    await writeFile(t.path('f'), '0123456789')
    const [reader, writer, both, appender] = await Promise.all(
      ['r', 'r+', 'r+', 'a'].map(flags => open(t.path('f'), flags)),
    )
    await writer?.write('A', 0)
    await appender?.write('Z')
    await both?.write('B', 5)
    await writer?.close()
    const read = await reader?.read(Buffer.alloc(20), 0, 20, 0)
    expect(read?.buffer.toString('utf8', 0, read.bytesRead)).toBe('A1234B6789Z')
    await appender?.write('!')
    await appender?.close()
    await reader?.close()
    await both?.truncate(3)
    await both?.close()
    expect(await t.text('f')).toBe('A12')
  },
  'a pipeline writes files': async t => {
    await t.sh('seq 1 1000 | tee all | sort -r > down; sort -n down | cmp - all; sort -n -o down down; cmp down all')
    expect((await stat(t.path('all'))).size).toBe(3893)
  },
  'editors replace files': async t => {
    await t.sh('printf "one\\ntwo\\n" > f; sed -i s/two/three/ f; cp f f~; cat f f~')
    expect(await t.text('f')).toBe('one\nthree\n')
    expect(await t.names()).toEqual(['f', 'f~'])
  },
  'a file can be locked': async t => {
    const script = 'exec 3> lock; flock -n 3; if flock -n lock true; then echo twice; else echo once; fi'
    expect(await t.sh(script)).toBe('once\n')
  },
  'who writes to a closed reader is stopped, and the file is whole': async t => {
    await t.sh('seq 1 100000 | tee f | head -n 1 > head; tail -c 7 f > tail || true')
    expect(await t.text('head')).toBe('1\n')
  },
} satisfies PosixTests
