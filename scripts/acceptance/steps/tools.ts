import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run, shell } from '../program.js'
import type { Site } from '../site.js'
import { expectEqual, type Step } from '../step.js'

const BINARY_BYTES = 20_000_003

/** Ranges with nothing even about them: offset and size. */
const ODD_RANGES: readonly (readonly [number, number])[] = [
  [1, 1],
  [4095, 2],
  [262_143, 131_075],
  [1_048_577, 5_000_011],
  [BINARY_BYTES - 7, 7],
]

/** Reads a file through a mapping, forwards by pages of odd distance and then whole. */
const READ_MAPPED = `
import hashlib, mmap, sys
with open(sys.argv[1], 'rb') as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
    spots = bytes(m[i] for i in range(0, len(m), 70001))
    print(hashlib.sha256(spots).hexdigest(), hashlib.sha256(m).hexdigest())`

export const TOOLS: readonly Step[] = [
  { title: 'sha256sum', run: checkSums },
  { title: 'grep -r', run: search },
  { title: 'dd reads and writes at odd offsets', run: readAndWriteOddly },
  { title: 'a Python script maps a file and reads it', run: readMapped },
]

/** The same tree on the local disk and in the bucket; `cp` made the second. */
async function twoTrees(site: Site, name: string): Promise<{ readonly local: string; readonly inside: string }> {
  const mount = await site.mount()
  const local = join(site.folder('tree'), name)
  await mkdir(join(local, 'texts'), { recursive: true })
  await writeFile(join(local, 'binary'), randomBytes(BINARY_BYTES))
  for (let i = 0; i < 40; i++) {
    const path = join(local, 'texts', `text-${i}.txt`)
    await writeFile(path, `line ${i}\n`.repeat(i * 50 + 1))
    if (i % 7 === 3) await appendFile(path, 'here is a needle\n')
  }
  await run(['cp', '-r', local, mount.path()])
  return { local, inside: mount.path(name) }
}

async function checkSums(site: Site): Promise<string> {
  const { local, inside } = await twoTrees(site, 'sums')
  const sums = await shell('cd "$1"; find . -type f | sort | xargs sha256sum', [local])
  await writeFile(join(local, 'SUMS'), `${sums}\n`)
  const checked = await shell('cd "$1"; sha256sum -c "$2"', [inside, join(local, 'SUMS')])
  const lines = checked.split('\n')
  expectEqual('right sums', lines.filter(line => line.endsWith(': OK')).length, 41)
  await run(['rm', '-r', inside])
  return `${lines.length} files`
}

async function search(site: Site): Promise<string> {
  const { local, inside } = await twoTrees(site, 'search')
  const script = 'cd "$1"; grep -rn needle . | sort'
  const found = await shell(script, [inside])
  expectEqual('what grep finds', found, await shell(script, [local]))
  expectEqual('nothing where nothing is', await shell('grep -rc haystack "$1/texts/text-3.txt" || true', [inside]), '0')
  await run(['rm', '-r', inside])
  return `${found.split('\n').length} matches`
}

async function readAndWriteOddly(site: Site): Promise<string> {
  const { local, inside } = await twoTrees(site, 'odd')
  const piece = join(local, 'piece')
  const read = `dd if="$1" iflag=skip_bytes,count_bytes skip="$2" count="$3" bs=65537 status=none`
  const write = `dd if="$1" of="$2" oflag=seek_bytes seek="$3" conv=notrunc bs=65537 status=none`
  for (const [offset, sizeBytes] of ODD_RANGES) {
    const range = [String(offset), String(sizeBytes)]
    const cut = `${read} | sha256sum`
    const sum = await shell(cut, [join(inside, 'binary'), ...range])
    expectEqual(`what dd reads at ${offset}`, sum, await shell(cut, [join(local, 'binary'), ...range]))
    await writeFile(piece, randomBytes(sizeBytes))
    for (const tree of [local, inside]) await shell(write, [piece, join(tree, 'binary'), String(offset)])
  }
  await run(['cmp', join(local, 'binary'), join(inside, 'binary')])
  await run(['rm', '-r', inside])
  return `${ODD_RANGES.length} ranges read, ${ODD_RANGES.length} written`
}

async function readMapped(site: Site): Promise<string> {
  const { local, inside } = await twoTrees(site, 'mapped')
  const read = (tree: string) => run(['/usr/bin/python3', '-c', READ_MAPPED, join(tree, 'binary')])
  expectEqual('the sums', await read(inside), await read(local))
  await run(['rm', '-r', inside])
  return `${BINARY_BYTES} bytes`
}
