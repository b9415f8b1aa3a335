import { createRequire } from 'node:module'
import { getSystemErrorMap } from 'node:util'
import type * as Koffi from 'koffi'

/** koffi and the C library, loaded at the first call: they cost 30 ms that most commands need not spend. */
let loaded: { readonly koffi: typeof Koffi; readonly libc: Koffi.LibraryHandle } | undefined

export function loadLibc(): { readonly koffi: typeof Koffi; readonly libc: Koffi.LibraryHandle } {
  if (loaded === undefined) {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    loaded = { koffi, libc: koffi.load(process.platform === 'darwin' ? 'libSystem.dylib' : 'libc.so.6') }
  }
  return loaded
}

/** A system call that failed, with the same `code` and `errno` as Node's own file system errors. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError'
  /** The errno's name: `ENODATA`. */
  readonly code: string
  /** Negative, as in Node's errors. */
  readonly errno: number
  readonly syscall: string

  constructor(syscall: string, errno: number) {
    const [code, message] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error']
    super(`${code}: ${message}, ${syscall}`)
    this.code = code
    this.errno = -errno
    this.syscall = syscall
  }
}

/** Throws the present errno as a SystemCallError when `result` is negative. */
export function checked(syscall: string, result: number): number {
  if (result < 0) throw new SystemCallError(syscall, loadLibc().koffi.errno())
  return result
}
