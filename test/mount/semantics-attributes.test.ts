import { readFile, stat, symlink } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { PosixContext } from '../posix/posix-context.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { contentOf, text } from '../support/store-tools.js'

const mounts = mountsOfThisFile()
const EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'

/** Statements 8, 9, 13 and 15: what is beside the bytes, on real mounts of the own S3. */
describe.skipIf(!canMount())('what a user may rely on', () => {
  let s3: OwnS3
  let here: Driver
  let shell: PosixContext

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    here = await s3.mount(['--metadata-ttl', '0'])
    shell = new PosixContext(here.mountPoint)
    // What a driver asks any server once.
    await shell.sh('echo > asked; chmod 600 asked; mv asked moved; rm moved')
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  /** A mount that trusts what it knows, and knows nothing of this folder; twice at the same place. */
  const fresh = async (flags: readonly string[] = []) => {
    const [stateDir, mountPoint] = [await mounts.folder('state'), await mounts.folder('mnt')]
    const start = async () => {
      const driver = await s3.mount(flags, { stateDir, mountPoint })
      return { driver, there: new PosixContext(driver.mountPoint) }
    }
    return { start, ...(await start()) }
  }

  const says = async (script: string) => {
    const { code, stderr } = await shell.outcome('/bin/sh', '-c', script)
    return code === 0 ? 'done' : stderr.replace(/^.*: /, '').trim()
  }

  describe('8 every key has a path', () => {
    test.for([
      ['odd//twice', 'odd/␛k/twice'],
      ['odd/.', 'odd/␛k%2E'],
      ['odd/slash/', 'odd/slash/␛k'],
      ['odd/␛bcaf%E9', Buffer.from('odd/caf\xe9', 'latin1')],
      [`odd/${'n'.repeat(300)}`, `odd/␛+${'n'.repeat(240)}/␛k${'n'.repeat(60)}`],
    ] as const)('%s', async ([key, path]) => {
      await s3.store.put(key, text('bytes'))
      const full = Buffer.concat([Buffer.from(`${here.mountPoint}/`), Buffer.from(path)])
      expect(await readFile(full, 'utf8')).toBe('bytes')
    })

    test('an object and a folder of the same name', async () => {
      await s3.store.put('both/below', text('below'))
      await s3.store.put('both', text('object'))
      expect((await shell.sh('ls both; cat both/*')).trim()).toBe('below\n␛o\nbelowobject')
      await shell.sh('echo more >> both/␛o')
      expect((await contentOf(s3.store, 'both')).toString()).toBe('objectmore\n')
    })
  })

  describe('9 attributes', () => {
    test('a change is one copy on the server, and what was not touched stays', async () => {
      await s3.store.put('theirs', text('text'), {
        metadata: { author: 'thor', mode: '33188' },
        headers: { contentType: 'text/x-own', cacheControl: 'no-store' },
        traits: { storageClass: 'STANDARD_IA', tags: { team: 'red' }, grants: { read: [EVERYBODY] } },
      })
      const { lastModifiedMs } = await s3.store.head('theirs')
      const requests = await s3.requestsDuring(() => shell.sh('chmod 640 theirs'))
      expect(requests.CopyObject).toBe(1)
      expect(requests.PutObject).toBeUndefined()
      const changed = await s3.store.head('theirs')
      expect(changed.metadata).toMatchObject({
        author: 'thor',
        mode: String(0o100640),
        mtime: `${lastModifiedMs / 1000}`,
      })
      expect(changed.headers).toMatchObject({ contentType: 'text/x-own', cacheControl: 'no-store' })
      for (const script of [
        'echo more >> theirs',
        'mv theirs moved',
        'truncate -s 3 moved',
        'setfattr -n user.x -v y moved',
      ])
        await shell.sh(script)
      const edited = await s3.store.head('moved')
      expect(edited).toMatchObject({
        sizeBytes: 3,
        storageClass: 'STANDARD_IA',
        headers: { contentType: 'text/x-own' },
      })
      expect(edited.metadata).toMatchObject({ author: 'thor', mode: String(0o100640), x: 'y' })
      const traits = await s3.store.traits('moved')
      expect(traits).toMatchObject({
        storageClass: 'STANDARD_IA',
        tags: { team: 'red' },
        grants: { read: [EVERYBODY] },
      })
    })

    test('an object that nobody chmods carries nothing; what a program sets is in the form of s3fs', async () => {
      await shell.sh('echo text > plain.txt')
      expect(await s3.store.head('plain.txt')).toMatchObject({ metadata: {}, headers: { contentType: 'text/plain' } })
      await shell.sh('chmod 600 plain.txt; chown 12:34 plain.txt; touch -d @1234567890.123456789 plain.txt')
      const { metadata } = await s3.store.head('plain.txt')
      expect(metadata).toMatchObject({ mode: '33152', uid: '12', gid: '34', mtime: '1234567890.123456789' })
    })

    test('a listing asks for no object, and what was seen is known to the next mount', async () => {
      for (let i = 0; i < 30; i++)
        await s3.store.put(`listed/${i}`, text('text'), { metadata: { mode: String(0o100600), uid: '7' } })
      // What is learnt within two seconds of a change is not kept: another change would show the same time.
      const { lastModifiedMs } = await s3.store.head('listed/29')
      await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(lastModifiedMs + 3000), { timeout: 10_000 })
      const { start, driver, there } = await fresh()
      await there.sh('test -d listed')
      const listing = await s3.requestsDuring(() => there.sh('ls -l listed'))
      expect(listing).not.toHaveProperty('HeadObject')
      // The first read brings the attributes along.
      const reading = await s3.requestsDuring(() => there.sh('cat listed/*'))
      expect(reading.GetObject).toBe(30)
      expect(reading).not.toHaveProperty('HeadObject')
      expect(await there.sh('stat -c "%a %u" listed/3')).toBe('600 7\n')
      await driver.end()
      const next = await start()
      await next.there.sh('test -d listed')
      const known = await s3.requestsDuring(async () =>
        expect((await next.there.sh('stat -c "%a %u" listed/* | sort -u')).trim()).toBe('600 7'),
      )
      expect(known).not.toHaveProperty('HeadObject')
      await next.driver.end()
    })

    test('permissions hold at open, also of what only a listing has shown so far', async () => {
      await s3.store.put('guarded/secret', text('secret'), { metadata: { mode: String(0o100600) } })
      const { driver, there } = await fresh(['--allow-other'])
      expect(await there.sh('ls -l guarded')).toMatch(/^-rw-r--r--/m)
      const { code, stderr } = await there.asNobody('cat guarded/secret')
      expect([code, stderr]).toEqual([1, expect.stringContaining('Permission denied')])
      expect(await there.sh('stat -c %a guarded/secret; cat guarded/secret')).toBe('600\nsecret')
      await driver.end()
    })

    test('links and pipes that others made are what they are, at the latest when they are opened', async () => {
      await s3.store.put('made/target', text('through the link'))
      await s3.store.put('made/link', text('target'), { metadata: { mode: String(0o120777) } })
      await s3.store.put('made/pipe', new Uint8Array(0), { metadata: { mode: String(0o010644) } })
      const { driver, there } = await fresh()
      expect(await there.sh('ls -l made | cut -c 1 | sort -u')).toBe('-\np\nt\n')
      expect(await there.sh('cat made/link; readlink made/link')).toBe('through the linktarget\n')
      await driver.end()
    })

    test('a link is an object whose body is the target', async () => {
      await symlink('../no/where', here.path('dangling'))
      expect((await contentOf(s3.store, 'dangling')).toString()).toBe('../no/where')
      expect((await s3.store.head('dangling')).metadata.mode).toBe(String(0o120777))
    })

    test('--attributes full asks for all of them once', async () => {
      for (let i = 0; i < 20; i++)
        await s3.store.put(`full/${i}`, text('text'), { metadata: { mode: String(0o100611) } })
      const { driver, there } = await fresh(['--attributes', 'full'])
      expect((await there.sh('ls -l full | tail -n +2 | cut -c 1-10 | sort -u')).trim()).toBe('-rw---x--x')
      const again = await s3.requestsDuring(() => there.sh('ls -l full; cat full/* > /dev/null'))
      expect(again).toEqual({ GetObject: 20 })
      await driver.end()
    })

    test('the times of folders outlive the mount; only what a program sets is stored', async () => {
      const { start, driver, there } = await fresh()
      await there.sh('mkdir times times/set; touch -d @1000000000 times/set')
      const puts = await s3.requestsDuring(() => there.sh('echo x > times/file'))
      expect(puts.PutObject).toBe(1)
      const { mtimeMs } = await stat(driver.path('times'))
      await driver.end()
      const next = (await start()).driver
      expect((await stat(next.path('times'))).mtimeMs).toBe(mtimeMs)
      expect((await stat(next.path('times/set'))).mtimeMs).toBe(1e12)
      expect((await s3.store.head('times/')).metadata).not.toHaveProperty('mtime')
      await next.end()
    })
  })

  describe('13 what can not be kept is refused', () => {
    test.for([
      ['ln file hard', 'Operation not permitted'],
      ['setfattr -n security.name -v value file', 'Operation not supported'],
      ['setfattr -n user.mode -v 33188 file', 'Operation not permitted'],
      ['setfattr -n user.bucket.etag -v value file', 'Operation not permitted'],
      ['setfattr -n user.name -v value .', 'Operation not supported'],
      ['fallocate --collapse-range -o 0 -l 4096 file', 'Operation not supported'],
      ['setfattr -n user.much -v $(printf %3000s | tr " " x) file', 'No space left on device'],
    ] as const)('%s: %s', async ([script, message]) => {
      await shell.sh('echo text > file')
      expect(await says(script)).toBe(message)
      expect(await readFile(here.path('file'), 'utf8')).toBe('text\n')
    })
  })

  describe('15 extended attributes', () => {
    test('tell what the store holds, and set what a path can not say', async () => {
      await s3.store.put('tagged.bin', text('text'), { metadata: { author: 'thor', my_key: 'v' } })
      const { etag } = await s3.store.head('tagged.bin')
      const value = async (name: string) => (await shell.sh(`getfattr --only-values -n user.${name} tagged.bin`)).trim()
      expect(await value('author')).toBe('thor')
      expect(await value('bucket.etag')).toBe(etag)
      expect(await value('bucket.md5')).toBe('1cb251ec0d568de6a929b520c4aed8d1')
      expect(await value('bucket.key')).toBe('tagged.bin')
      expect(await value('bucket.public')).toBe('false')
      await shell.sh(`
        setfattr -n user.bucket.content-type -v image/png tagged.bin
        setfattr -n user.bucket.cache-control -v max-age=60 tagged.bin
        setfattr -n user.Größe -v 0xff00fe tagged.bin
        setfattr -x user.my_key tagged.bin`)
      const { headers, metadata } = await s3.store.head('tagged.bin')
      expect(headers).toMatchObject({ contentType: 'image/png', cacheControl: 'max-age=60' })
      expect(metadata).toMatchObject({ author: 'thor', 'xattr-4772c3b6c39f65': 'base64:/wD+' })
      expect(metadata).not.toHaveProperty('my_key')
      expect((await shell.sh('getfattr tagged.bin')).trim().split('\n').slice(1)).toEqual(['user.Größe', 'user.author'])
    })
  })
})
