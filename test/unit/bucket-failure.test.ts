import { expect, it } from 'vitest'
import { StoreError } from '../../src/backend/store-error.js'
import { bucketFailureOf } from '../../src/cli/bucket/failure.js'

it.each([
  ['L/b', '/tmp/L/bucket/links/b is a symbolic link', 'L/b: /tmp/L/bucket/links/b is a symbolic link'],
  ['b', '/links/b is a symbolic link', 'b: /links/b is a symbolic link'],
  ['L/b', 'L/b is too long', 'L/b is too long'],
  ['L/b', 'the object "L/b" is too long', 'the object "L/b" is too long'],
  ['', 'no key', 'no key'],
])('the line of a failure names the key %j once: %s', (key, message, line) => {
  const { lines } = bucketFailureOf(new StoreError('invalid', message, { operation: 'get', key }))
  expect(lines).toEqual([line])
})
