import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PosixContext } from '../posix/posix-context.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { cephS3, createBucket } from '../support/servers.js'
import { seededRandom, testBytes } from '../support/store-tools.js'

const mounts = mountsOfThisFile()
const ceph = canMount() ? await cephS3() : undefined

/** Ordinary programs on a mount, and in a folder of the local disk beside it. */
function programs(name: string, openMount: () => Promise<string>): void {
  describe(`programs on ${name}`, () => {
    let mount: PosixContext
    let local: PosixContext
    let tree = ''

    beforeAll(async () => {
      mount = new PosixContext(await openMount())
      local = new PosixContext(await mounts.folder('local'))
      tree = local.path('tree')
      await makeTree(tree)
    })

    test('cp -r copies a tree in and out, and it compares equal', async () => {
      await mount.sh('cp -r "$1" in; diff -r "$1" in', tree)
      await local.sh('cp -r "$1/in" out; diff -r tree out', mount.folder)
      await mount.sh('cp -r in again; diff -r in again; rm -r again')
    })

    test('tar packs and unpacks on the mount', async () => {
      await mount.sh('tar -C "$1" -cf tree.tar tree; mkdir unpacked; tar -C unpacked -xf tree.tar', local.folder)
      await mount.sh('diff -r "$1" unpacked/tree; tar -C unpacked -df tree.tar', tree)
      await mount.sh('tar -C unpacked -czf packed.tgz tree; tar -tzf packed.tgz | wc -l')
    })

    test('git clones, commits, packs and finds nothing wrong', async () => {
      const git = 'git -c user.name=nobody -c user.email=nobody@example.org'
      await local.sh(`cp -r tree repo; cd repo; git init -q; git add .; ${git} commit -qm first`)
      await mount.sh('git clone -q "$1" clone; cd clone; git fsck --strict; git status --porcelain', local.path('repo'))
      await mount.sh(`cd clone; echo more > new; git add new; ${git} commit -qm second; git gc -q; git fsck --strict`)
      expect(await mount.sh('cd clone; git log --format=%s; git status --porcelain')).toBe('second\nfirst\n')
      await local.sh('git clone -q "$1" back; diff -r -x .git back "$1"', mount.path('clone'))
    })

    test('sha256sum, grep -r, find and du see what was copied', async () => {
      await mount.sh('cp -r "$1" seen', tree)
      await local.sh('cd tree; find . -type f -exec sha256sum {} + > ../sums')
      await mount.sh('cd seen; sha256sum --quiet -c "$1"', local.path('sums'))
      const grep = (folder: string) => local.sh('cd "$1"; grep -rl needle . | sort', folder)
      expect(await grep(mount.path('seen'))).toBe(await grep(tree))
      const find = (folder: string) => local.sh('cd "$1"; find . -type f -printf "%p %s\\n" | sort', folder)
      expect(await find(mount.path('seen'))).toBe(await find(tree))
      expect(Number(await mount.sh('du -s --apparent-size seen | cut -f 1'))).toBeGreaterThan(0)
    })

    test('dd reads and patches at odd offsets', async () => {
      await writeFile(local.path('disk'), testBytes(3_000_017, 9))
      await mount.sh('cp "$1" disk', local.path('disk'))
      for (const folder of [local, mount]) {
        await folder.sh('dd if=disk of=piece bs=1 skip=1234567 count=4321 status=none')
        await folder.sh('dd if=piece of=disk bs=1 seek=7654 conv=notrunc status=none')
        await folder.sh('dd if=piece of=disk bs=777 seek=4001 count=3 conv=notrunc status=none')
        await folder.sh('dd if=disk of=blocks bs=4097 skip=13 count=101 status=none')
      }
      for (const name of ['disk', 'piece', 'blocks']) await mount.sh('cmp "$1" "$2"', local.path(name), name)
    })

    test('a thumbnail is made of a picture', async () => {
      await mount.python(`
from PIL import Image
Image.radial_gradient("L").convert("RGB").resize((640, 480)).save("face.jpg", quality=90)
image = Image.open("face.jpg")
image.thumbnail((100, 100))
image.save("thumb_face.jpg")
assert Image.open("thumb_face.jpg").size == (100, 75)`)
      await mount.sh('test -s thumb_face.jpg')
    })

    test('a database keeps its promises', async () => {
      const script = `
import sqlite3
for round in range(3):
  db = sqlite3.connect("data.db")
  db.execute("create table if not exists t (n integer primary key, s text)")
  with db: db.executemany("insert into t (s) values (?)", [(str(i) * 50,) for i in range(200)])
  try:
    with db:
      db.execute("delete from t")
      raise ValueError()
  except ValueError: pass
  db.close()
db = sqlite3.connect("data.db")
print(db.execute("select count(*), sum(length(s)) from t").fetchone(), db.execute("pragma integrity_check").fetchone()[0])`
      expect(await mount.python(script)).toBe(await local.python(script))
    })

    test('zip archives, in-place edits and parallel workers work', async () => {
      await mount.python(`
import zipfile
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as z:
  for i in range(20): z.writestr(f"d/{i}", str(i) * 1000)
with zipfile.ZipFile("a.zip", "a") as z: z.writestr("more", "text")
z = zipfile.ZipFile("a.zip")
assert z.testzip() is None and len(z.namelist()) == 21`)
      await mount.sh('seq 40 | xargs -P 4 -I {} sh -c "echo {} > worker.{}; sed -i s/^/x/ worker.{}"')
      expect(await mount.sh('cat worker.* | sort | head -n 3; ls worker.* | wc -l')).toBe('x1\nx10\nx11\n40\n')
    })

    test('rm -r removes what all of this left behind', async () => {
      await mount.sh('rm -rf ./* ')
      expect(await mount.names()).toEqual([])
    })
  })
}

const SIZES = [0, 10, 4096, 70_000]

/** Files of many sizes, some empty, in folders of several levels. */
async function makeTree(root: string): Promise<void> {
  const random = seededRandom(5)
  for (let folder = 0; folder < 8; folder++) {
    const path = join(root, `folder ${folder % 4}`, `sub-${folder}`)
    await mkdir(path, { recursive: true })
    for (let i = 0; i < 8; i++) {
      const sizeBytes = Math.floor(random() * (SIZES[i % SIZES.length] ?? 0))
      await writeFile(join(path, `file-${i}.bin`), testBytes(sizeBytes, folder * 10 + i))
    }
    await writeFile(join(path, 'text.txt'), `${'hay\n'.repeat(500 * folder)}${folder % 2 === 0 ? 'needle' : ''}\n`)
  }
  await writeFile(join(root, 'large.bin'), testBytes(9_000_001))
}

describe.skipIf(!canMount())('kernel transport', () => {
  afterAll(() => mounts.endAll())
  programs('file://', async () => (await mounts.start({ url: `file://${await mounts.folder('store')}` })).mountPoint)

  describe.skipIf(ceph === undefined)('on Ceph', () => {
    programs('Ceph RGW', async () => {
      if (ceph === undefined) throw new Error('skipped')
      const bucket = await createBucket(ceph)
      const { accessKeyId, secretAccessKey } = ceph.credentials
      const environment = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
      return (await mounts.start({ url: `s3://${bucket}`, flags: ['--endpoint', ceph.endpoint], environment }))
        .mountPoint
    })
  })
})
