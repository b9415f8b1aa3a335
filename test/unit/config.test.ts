import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { configure, environment, faultsOf, temporaryFolder } from '../support/configuration.js'

const BUCKET = ['s3://photos', '/mnt']

function withConfig(text: string): { readonly path: string; readonly surroundings: ReturnType<typeof environment> } {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'mount-bucket'))
  const path = join(folder, 'mount-bucket', 'config.yaml')
  writeFileSync(path, text)
  return { path, surroundings: environment({ variables: { XDG_CONFIG_HOME: folder } }) }
}

describe('precedence', () => {
  it('takes the default where nothing is said', async () => {
    const { data, mount, owner, foreground, log } = await configure(BUCKET)
    expect(data).toEqual({
      memoryBytes: 160 * 1024 ** 2,
      blockSizeBytes: 64 * 1024,
      readAheadBytes: 96 * 1024 ** 2,
      metadataTtlMs: 10_000,
      metadataEntries: 200_000,
      attributes: 'listing',
      requests: 32,
      dataThreads: 0,
      timeoutMs: 60_000,
      attempts: 8,
      partSizeBytes: 8 * 1024 ** 2,
      uploadConcurrency: 12,
      stagingSizeBytes: 10 * 1024 ** 3,
      keptSizeBytes: 10 * 1024 ** 3,
      abortAfterMs: 7 * 86_400_000,
      volumeSizeBytes: 1024 ** 5,
    })
    expect(mount).toMatchObject({ readOnly: false, defaultPermissions: true, transport: 'kernel', kernelOptions: [] })
    expect(owner).toEqual({ uid: 1000, gid: 100, fileMode: 0o644, dirMode: 0o755 })
    expect(foreground).toBe(false)
    expect(log).toMatchObject({ level: 'info', maxBytes: 10 * 1024 ** 2 })
  })

  it('asks flag, -o, environment, profile and file in this order', async () => {
    const { surroundings } = withConfig('part-size: 10M\nprofiles:\n  big:\n    part-size: 20M\n')
    const variables = { ...surroundings.variables, MOUNT_BUCKET_PART_SIZE: '30M' }
    const partSize = async (words: readonly string[], from = surroundings) =>
      (await configure([...BUCKET, ...words], from)).data.partSizeBytes / 1024 ** 2
    expect(await partSize([])).toBe(10)
    expect(await partSize(['--use', 'big'])).toBe(20)
    expect(await partSize(['--use', 'big'], environment({ variables }))).toBe(30)
    expect(await partSize(['-o', 'part_size=40M'], environment({ variables }))).toBe(40)
    expect(await partSize(['-o', 'part_size=40M', '--part-size', '50M'], environment({ variables }))).toBe(50)
  })

  it('knows where a folder is served', async () => {
    expect((await configure(['file:///srv', '/mnt', '--public-url', 'https://x/y'])).publicUrl).toBe('https://x/y')
  })

  it('turns a switch of a farther place round', async () => {
    const { surroundings } = withConfig('read-only: true\nno-default-permissions: true\n')
    const readOnly = async (...words: readonly string[]) => (await configure([...BUCKET, ...words], surroundings)).mount
    expect(await readOnly()).toMatchObject({ readOnly: true, defaultPermissions: false })
    expect(await readOnly('--no-read-only', '--default-permissions')).toMatchObject({
      readOnly: false,
      defaultPermissions: true,
    })
    expect(await readOnly('-o', 'rw')).toMatchObject({ readOnly: false })
  })

  it('reads switches of the environment in both senses', async () => {
    const variables = { MOUNT_BUCKET_ALLOW_OTHER: '1', MOUNT_BUCKET_NO_SIGN_REQUEST: 'yes' }
    const { mount, s3 } = await configure(BUCKET, environment({ variables }))
    expect(mount.allowOther).toBe(true)
    expect(s3.signRequest).toBe(false)
  })

  it('leaves variables alone that are no options', async () => {
    const variables = { MOUNT_BUCKET_SERVICE_HOST: '10.0.0.1', MOUNT_BUCKET_REGION: '' }
    expect((await configure(BUCKET, environment({ variables }))).s3.region).toBeUndefined()
  })
})

describe('what a mount is given', () => {
  it('takes the URL and the mount point from a profile', async () => {
    const { surroundings } = withConfig('profiles:\n  a:\n    url: s3://b/c\n    mount-point: /mnt/c\nuse: a\n')
    expect(await configure([], surroundings)).toMatchObject({
      url: 's3://b/c',
      mountPoint: '/mnt/c',
      isEmbedded: false,
    })
    expect(await configure(['here'], surroundings)).toMatchObject({ url: 's3://b/c', mountPoint: '/work-folder/here' })
    expect(await configure(['none', '/x'], surroundings)).toMatchObject({ url: 's3://b/c', mountPoint: '/x' })
  })

  it('is the embedded store without a URL', async () => {
    expect(await configure(['./unmount'])).toMatchObject({
      url: 'file:///nonexistent/home/.local/share/mount-bucket/store',
      isEmbedded: true,
      mountPoint: '/work-folder/unmount',
    })
    expect(await configure(['/mnt'], environment({ uid: 0 }))).toMatchObject({
      url: 'file:///var/lib/mount-bucket/store',
      isEmbedded: true,
    })
  })

  it('has its state where the user keeps such things, under a name of the store and the mount point', async () => {
    const variables = { XDG_STATE_HOME: '/state', XDG_CONFIG_HOME: 'relative/is/ignored' }
    const one = await configure(BUCKET, environment({ variables }))
    expect(one.places.stateDir).toMatch(/^\/state\/mount-bucket\/[0-9a-f]{16}$/)
    expect(one.places.endpointsDir).toBe('/state/mount-bucket/endpoints')
    expect(one.log.file).toBe(`${one.places.stateDir}/log`)
    const same = await configure(['s3://photos/', '/work-folder/../mnt'], environment({ variables }))
    expect(same.places).toEqual(one.places)
    const other = await configure(['s3://photos', '/mnt2'], environment({ variables }))
    expect(other.places.stateDir).not.toBe(one.places.stateDir)
  })

  it('has the places of a system service as root, whatever HOME is', async () => {
    const { places, log } = await configure(BUCKET, environment({ uid: 0, homeFolder: undefined }))
    expect(places.stateDir).toMatch(/^\/var\/lib\/mount-bucket\/[0-9a-f]{16}$/)
    expect(log.file).toMatch(/^\/var\/log\/mount-bucket\/mnt-[0-9a-f]{8}\.log$/)
    expect((await configure([...BUCKET, '-f'], environment({ uid: 0 }))).log.file).toBeUndefined()
  })

  it('needs --state-dir from someone without a home', async () => {
    const homeless = environment({ homeFolder: undefined })
    expect(await faultsOf(BUCKET, homeless)).toEqual([
      '--state-dir: expected a folder, found none, and no home folder for the usual one',
    ])
    expect((await configure([...BUCKET, '--state-dir', 's'], homeless)).places.endpointsDir).toBe(
      '/work-folder/s/endpoints',
    )
  })

  it('derives modes from the umask unless they are given', async () => {
    expect((await configure([...BUCKET, '--umask', '027'])).owner).toMatchObject({ fileMode: 0o640, dirMode: 0o750 })
    const { owner } = await configure([...BUCKET, '--umask=027', '--file-mode=0600', '--uid=33', '--gid', '34'])
    expect(owner).toEqual({ uid: 33, gid: 34, fileMode: 0o600, dirMode: 0o750 })
  })

  it('is plain data', async () => {
    const configuration = await configure([...BUCKET, '--region', 'eu-central-1', '-o', 'noatime'])
    expect(structuredClone(configuration)).toEqual(configuration)
  })
})

describe('killed writers', () => {
  const SIGKILL = 9
  const SIGPIPE = 13
  const SIGTERM = 15
  const signals = async (rule: string) => (await configure([...BUCKET, '--killed-writer', rule])).mount.keptSignals

  it('are those of every signal but SIGPIPE', async () => {
    const { keptSignals } = (await configure(BUCKET)).mount
    expect(keptSignals).toEqual(await signals('keep'))
    for (const signal of [1, 2, SIGKILL, 11, SIGTERM, 64]) expect(keptSignals).toContain(signal)
    expect(keptSignals).not.toContain(SIGPIPE)
  })

  it.each([
    ['publish', []],
    ['SIGKILL', [SIGKILL]],
    ['kill,sigterm', [SIGKILL, SIGTERM]],
  ])('%s', async (rule, expected) => {
    expect(await signals(rule)).toEqual(expected)
  })

  it.each(['never', 'SIGNONE', 'KILL TERM', 'keep,KILL', ''])('are not understood as %j', async rule => {
    const [fault] = await faultsOf([...BUCKET, '--killed-writer', rule])
    expect(fault).toMatch(/^--killed-writer: expected keep, publish, or signals/)
  })
})

describe('faults', () => {
  it('are told all at once, each with what was expected and found', async () => {
    const words = [
      's3://photos',
      '/mnt',
      '--bogus',
      '--part-size',
      '1M',
      '--timeout=soon',
      '--uid',
      '-o',
      'wxyzq=1,umask=9',
    ]
    expect(await faultsOf(words, environment({ variables: { MOUNT_BUCKET_TRANSPORT: 'fuze' } }))).toEqual([
      'command line: expected a known flag, found --bogus',
      '--uid: expected a value, found none',
      '-o wxyzq: expected a known option, found "wxyzq"',
      'MOUNT_BUCKET_TRANSPORT: expected one of kernel, fuse-native, found "fuze"',
      '-o umask: expected permissions in octal such as 0644, up to 7777, found "9"',
      '--timeout: expected a time such as 10s, 500ms or 7d, from 1s to 1d, found "soon"',
      '--part-size: expected a size such as 64M or 1GiB, from 5M to 1G, found "1M"',
    ])
  })

  it('of a file name the file, the line and the nearest key', async () => {
    const { path, surroundings } = withConfig('region: eu\n\nmetdata-ttl: 3s\nuid: [1]\nprofiles:\n  x:\n    siz: 1\n')
    expect(await faultsOf(BUCKET, surroundings)).toEqual([
      `${path}:7 siz: expected a known option (perhaps size), found "siz"`,
      `${path}:4: expected one value for uid, found a list`,
      `${path}:3 metdata-ttl: expected a known option (perhaps metadata-ttl), found "metdata-ttl"`,
    ])
  })

  it('are told of YAML that is none', async () => {
    const { path, surroundings } = withConfig('region: eu\n  part-size: "8M\n')
    const faults = await faultsOf(BUCKET, surroundings)
    expect(faults[0]).toMatch(new RegExp(`^${path}:\\d: expected YAML, found `))
    const list = withConfig('- a\n- b\n')
    expect(await faultsOf(BUCKET, list.surroundings)).toEqual([
      `${list.path}:1: expected lines of \`key: value\`, found a list`,
    ])
  })

  it('are told of files that can not be read', async () => {
    const folder = temporaryFolder()
    expect(await faultsOf([...BUCKET, '--config', folder])).toEqual([
      `${folder}: expected a readable configuration file, found EISDIR`,
    ])
    expect(await faultsOf([...BUCKET, '--config', 'missing.yaml'])).toEqual([
      '/work-folder/missing.yaml: expected a readable configuration file, found ENOENT',
    ])
  })

  it('are told of profiles that are not there', async () => {
    const { path, surroundings } = withConfig('profiles:\n  photos:\n    url: s3://photos\n')
    expect(await faultsOf([...BUCKET, '--use', 'fotos'], surroundings)).toEqual([
      `--use: expected a profile of ${path} (perhaps photos), found "fotos"`,
    ])
  })

  it('keep what may be a secret in a URL to themselves', async () => {
    const [fault] = await faultsOf(['s3://AKIA:secret@photos', '/mnt'])
    expect(fault).toContain('expected s3://BUCKET or s3://BUCKET/PREFIX')
    expect(fault).not.toContain('secret')
  })

  it.each([
    [[], 'MOUNTPOINT: expected the folder to mount at, found none'],
    [['s3://photos'], 'MOUNTPOINT: expected the folder to mount at, found none'],
    [['s3://', '/mnt'], 'URL: expected s3://BUCKET or s3://BUCKET/PREFIX, found "s3://"'],
    [['file://relative', '/mnt'], 'URL: expected file:///FOLDER, found "file://relative"'],
    [['/a', '/b', '/c'], 'command line: expected [URL] MOUNTPOINT, found also /c'],
    [
      [...BUCKET, '--block-size', '16M', '--memory', '8M'],
      '--block-size: expected a block size of at most --memory (8M), found 16M',
    ],
    [['--endpoint', 'http://nas:9000', '/mnt'], '--endpoint: expected a s3:// URL with it, found no URL'],
    [['file:///srv', '/mnt', '--region', 'x'], '--region: expected a s3:// URL with it, found file://'],
    [[...BUCKET, '--public-url', 'https://x'], '--public-url: expected a file:// URL with it, found s3://'],
    [['file:///srv', '/mnt', '--public-url', 'x'], '--public-url: expected an http:// or https:// URL, found "x"'],
    [[...BUCKET, '--endpoint', 'nas:9000'], '--endpoint: expected an http:// or https:// URL, found "nas:9000"'],
  ])('of %j', async (words, fault) => {
    expect(await faultsOf(words)).toContain(fault)
  })

  it('ignore options of the file that are for other stores', async () => {
    const { surroundings } = withConfig('region: eu-central-1\nacl: private\n')
    expect(await faultsOf(['file:///srv', '/mnt'], surroundings)).toEqual([])
  })
})

describe('contradictions', () => {
  it.each([
    ['--allow-other', '--allow-root'],
    ['--no-sign-request', '--profile=a'],
    ['--no-sign-request', '--requester-pays'],
    ['--sse-c-key-file=/k', '--sse=AES256'],
    ['--sse-c-key-file=/k', '--sse-kms-key-id=k'],
    ['--sse=AES256', '--sse-kms-key-id=k'],
    ['--read-only', '--acl=private'],
    ['--read-only', '--storage-class=GLACIER'],
    ['--transport=fuse-native', '--kernel-read-ahead=1M'],
    ['--transport=fuse-native', '--data-threads=2'],
    ['--cache-dir=/cache', '--data-threads=2'],
  ])('%s and %s', async (one, other) => {
    const [fault, ...more] = await faultsOf([...BUCKET, one, other])
    const name = (flag: string) => flag.replace(/=.*/, '')
    expect(fault).toMatch(new RegExp(`^(${name(one)} and ${name(other)}): expected .*, found both$`))
    expect(more).toEqual([])
    expect(await faultsOf([...BUCKET, one])).toEqual([])
    expect(await faultsOf([...BUCKET, other])).toEqual([])
  })

  it('across places are settled for the nearer one', async () => {
    const { surroundings } = withConfig('allow-root: true\nacl: private\nsign-request: no\n')
    const { mount, s3 } = await configure([...BUCKET, '--allow-other', '--read-only', '--profile', 'a'], surroundings)
    expect(mount).toMatchObject({ allowOther: true, allowRoot: false, readOnly: true })
    expect(s3).toMatchObject({ acl: undefined, signRequest: true, profile: 'a' })
  })

  it('are none with a switch that is turned off', async () => {
    expect(await faultsOf([...BUCKET, '--no-allow-other', '--allow-root'])).toEqual([])
    expect(await faultsOf([...BUCKET, '--read-only=false', '--acl=private'])).toHaveLength(1)
  })
})
