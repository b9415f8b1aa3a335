import { constants } from 'node:os'
import type { ErrnoName } from '../fs/fs-error.js'

/** The number of an errno on this platform: the C library's own, which Linux and macOS disagree about. */
export function errnoNumber(name: ErrnoName): number {
  return constants.errno[name]
}
