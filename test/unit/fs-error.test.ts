import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/backend/store-error.js'
import { errnoOf, FsError } from '../../src/fs/fs-error.js'

describe('what a program is told', () => {
  it.each([
    ['not-found', 'NoSuchKey', 'ENOENT'],
    ['unavailable', 'ECONNREFUSED', 'EIO'],
    ['denied', 'AccessDenied', 'EACCES'],
    ['unavailable', 'ENOSPC', 'ENOSPC'],
    ['unavailable', 'EDQUOT', 'ENOSPC'],
    ['denied', 'QuotaExceeded', 'ENOSPC'],
    ['unavailable', 'XMinioStorageFull', 'ENOSPC'],
    ['invalid', 'XMinioAdminBucketQuotaExceeded', 'ENOSPC'],
  ] as const)('of a store that says %s (%s): %s', (kind, code, errno) => {
    expect(errnoOf(new StoreError(kind, 'refused', { code }))).toBe(errno)
  })

  it('of a failure that nobody has foreseen: EIO', () => {
    expect(errnoOf(new Error('what?'))).toBe('EIO')
    expect(errnoOf(new FsError('EISDIR', 'd'))).toBe('EISDIR')
  })
})
