import { expect, it } from 'vitest'
import { configure, faultsOf } from '../support/configuration.js'

const BUCKET = ['s3://photos', '/mnt']

it('understands the lists of mount(8)', async () => {
  const list =
    'rw,noauto,_netdev,nofail,user,x-systemd.automount,x-foo=1,comment=a b,defaults,allow_other,uid=33,gid=34,umask=022'
  const { mount, owner } = await configure([...BUCKET, '-o', list])
  expect(mount).toMatchObject({ readOnly: false, allowOther: true, kernelOptions: [] })
  expect(owner).toEqual({ uid: 33, gid: 34, fileMode: 0o644, dirMode: 0o755 })
})

it('takes options behind the places too, as mount.fuse passes them', async () => {
  const { mount, s3 } = await configure([
    ...BUCKET,
    '-o',
    'ro,allow_root',
    '-o',
    'endpoint=http://nas:9000,region=eu,profile=a-b',
  ])
  expect(mount).toMatchObject({ readOnly: true, allowRoot: true })
  expect(s3).toMatchObject({ endpoint: 'http://nas:9000', region: 'eu', profile: 'a-b' })
})

it('knows our options by _ and by -, switches in both senses', async () => {
  const { data, mount, s3 } = await configure([
    ...BUCKET,
    '-o',
    'part_size=16M,metadata-ttl=0,no_default_permissions,no_sign_request,read_only=no',
  ])
  expect(data).toMatchObject({ partSizeBytes: 16 * 1024 ** 2, metadataTtlMs: 0 })
  expect(mount).toMatchObject({ defaultPermissions: false, readOnly: false })
  expect(s3.signRequest).toBe(false)
})

it('hands the kernel its own, of each family the last', async () => {
  const list = 'nosuid,nodev,noatime,suid,relatime,exec,noexec,dirsync'
  expect((await configure([...BUCKET, '-o', list])).mount.kernelOptions).toEqual([
    'suid',
    'nodev',
    'relatime',
    'noexec',
    'dirsync',
  ])
})

it('lets the later of two count, and reads commas that are meant', async () => {
  const { mount, s3 } = await configure([...BUCKET, '-o', 'ro', '-o', 'rw,profile=a\\,b'])
  expect(mount.readOnly).toBe(false)
  expect(s3.profile).toBe('a,b')
})

it.each([
  ['part_siz=1', '-o part_siz: expected a known option (perhaps part_size), found "part_siz"'],
  ['noatimes', '-o noatimes: expected a known option (perhaps noatime), found "noatimes"'],
  ['foreground', '-o foreground: expected a known option, found "foreground"'],
  ['url=s3://x', '-o url: expected a known option, found "url"'],
  ['constructor', '-o constructor: expected a known option, found "constructor"'],
  ['region', '-o region: expected region=VALUE, found no value'],
  ['uid=root', '-o uid: expected a whole number from 0 to 4294967294, found "root"'],
  [
    'allow_other,allow_root',
    '-o allow_other and -o allow_root: expected only one of the two (--allow-other includes root), found both',
  ],
])('refuses %s', async (list, fault) => {
  expect(await faultsOf([...BUCKET, '-o', list])).toEqual([fault])
})
