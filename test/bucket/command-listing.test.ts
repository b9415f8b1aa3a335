import { describe, expect, it } from 'vitest'
import { commandStores } from '../support/bucket-command.js'

describe.each(await commandStores())('bucket info and exists on %s', (_, open) => {
  it('exit with 3 for a key that is not there', async () => {
    const bucket = await open()
    expect(await bucket.run(['exists', 'none'])).toMatchObject({ exitCode: 3, stdout: '', stderr: '' })
    expect(await bucket.run(['info', 'none'])).toMatchObject({ exitCode: 3, stdout: '' })
    expect(await bucket.json('list')).toEqual({ objects: [], folders: [], truncated: false })
    await bucket.dispose()
  })
})
