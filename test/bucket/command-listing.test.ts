import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BucketCommand, commandStores } from '../support/bucket-command.js'

const KEYS = ['classA/blue', 'classB/black', 'classB/white', 'data1', 'data2']

describe.each(await commandStores())('bucket list, info, cp, mv, rm on %s', (_, open) => {
  let bucket: BucketCommand
  const list = async (...words: readonly string[]) => (await bucket.output('list', ...words)).split('\n')
  beforeAll(async () => {
    bucket = await open()
    expect(await bucket.json('list')).toEqual({ objects: [], folders: [], truncated: false })
    for (const key of KEYS) await bucket.run(['put', '-', key, '-q'], { input: key })
  })
  afterAll(() => bucket.dispose())

  it('list keys in order, from a marker, by any prefix, and say when there are more', async () => {
    expect(await list()).toEqual(KEYS)
    expect(await list('--marker', 'data1')).toEqual(['data2'])
    expect(await list('--prefix', 'classB/bl')).toEqual(['classB/black'])
    expect(await list('class', '-d')).toEqual(['classA/', 'classB/'])
    const { stdout, stderr } = await bucket.run(['ls', '--max-keys', '2'])
    expect(stdout.split('\n')).toEqual(KEYS.slice(0, 2))
    expect(stderr).toBe('...Results are truncated...')
    expect(await bucket.json('list', '--max-keys=1', 'class')).toMatchObject({
      objects: [{ key: 'classA/blue', size: 11 }],
      truncated: true,
      next: 'classA/blue',
    })
    expect((await list('-l', '-d'))[2]).toMatch(/^5 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( +STANDARD)? +data1$/)
    expect(await bucket.run(['list', '--prefix', 'none'])).toMatchObject({ exitCode: 0, stdout: '', stderr: '' })
  })

  it('tell how much there is, and show a tree', async () => {
    expect(await bucket.json('du')).toEqual({
      prefix: '',
      objects: 5,
      size: 45,
      folders: [
        { folder: 'classA/', objects: 1, size: 11 },
        { folder: 'classB/', objects: 2, size: 24 },
        { folder: '', objects: 2, size: 10 },
      ],
    })
    expect((await bucket.output('tree')).split('\n').slice(1)).toEqual([
      '|-- classA/',
      '|   `-- blue',
      '|-- classB/',
      '|   |-- black',
      '|   `-- white',
      '|-- data1',
      '`-- data2',
    ])
  })

  it('say what is known of an object, and whether it is there', async () => {
    expect(await bucket.json('info', 'data1')).toMatchObject({ key: 'data1', size: 5, metadata: {} })
    expect(await bucket.output('info', 'data1')).toMatch(/^key: data1\nsize: 5\nlast-modified: \d{4}-.*Z\n/)
    expect(await bucket.run(['exists', 'data1'])).toMatchObject({ exitCode: 0, stdout: '', stderr: '' })
    expect(await bucket.run(['exists', 'none'])).toMatchObject({ exitCode: 3, stdout: '', stderr: '' })
    const { exitCode, stderr } = await bucket.run(['info', 'none'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: 'bucket: none: there is no such object' })
  })

  it('change metadata', async () => {
    await bucket.output('set-meta', 'data1', '--meta', 'a=1', '-m', 'b=2', '--cache-control', 'no-cache')
    await bucket.output('set-meta', 'data1', '--unset', 'a', '--content-type', 'text/x')
    expect(await bucket.json('info', 'data1')).toMatchObject({
      'cache-control': 'no-cache',
      'content-type': 'text/x',
      metadata: { b: '2' },
    })
    await bucket.output('set-meta', 'data1', '--replace', '--reset-headers', '--meta=c=3')
    const info = await bucket.json('info', 'data1')
    expect(info).toMatchObject({ metadata: { c: '3' } })
    expect(info).not.toHaveProperty('cache-control')
    expect(await bucket.run(['set-meta', 'data1'])).toMatchObject({ exitCode: 2 })
  })

  it('copy, move and remove', async () => {
    expect(await bucket.output('cp', 'data2', 'copies/')).toBe('data2 is copied to copies/data2')
    await bucket.output('mv', 'copies/data2', 'copies/moved')
    await bucket.output('cp', '-r', 'classB', 'copies/B')
    expect(await bucket.json('mv', '-r', 'copies', 'kept')).toEqual({ objects: 3, size: 29, failures: [] })
    expect(await list('kept')).toEqual(['kept/B/black', 'kept/B/white', 'kept/moved'])
    expect(await bucket.run(['mv', 'data1', 'data1'])).toMatchObject({ exitCode: 2 })
    expect(await bucket.run(['cp', '-r', 'none', 'x'])).toMatchObject({ exitCode: 3 })
    const { exitCode, stderr, stdout } = await bucket.run(['rm', 'kept/moved', 'kept/none', 'kept/B/white'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: 'bucket: kept/none: there is no such object' })
    expect(stdout).toBe('kept/moved is removed\nkept/B/white is removed')
    expect(await bucket.json('rm', '-f', 'kept/none')).toEqual([{ key: 'kept/none', removed: true }])
  })

  it('remove a prefix, but not unasked', async () => {
    expect(await bucket.run(['remove-prefix', 'kept/'])).toMatchObject({ exitCode: 2, stdout: '' })
    expect(await list('kept')).toEqual(['kept/B/black'])
    expect(await bucket.output('remove-prefix', 'kept/', '--yes')).toBe('1 object (12) removed')
    expect(await bucket.run(['remove-prefix', 'kept/', '--yes'])).toMatchObject({
      exitCode: 3,
      stderr: 'bucket: no key begins with "kept/"',
    })
    expect(await list()).toEqual(KEYS)
  })
})
