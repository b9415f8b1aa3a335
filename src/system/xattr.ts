import { checked, loadLibc, SystemCallError } from './libc.js'

/** A file by its path (a symbolic link is followed) or by an open descriptor. */
type File = string | number

type NativeCall = (...args: readonly unknown[]) => number

interface Calls {
  readonly get: (file: File, name: string, value: Uint8Array | null, sizeBytes: number) => number
  readonly set: (file: File, name: string, value: Uint8Array) => number
  readonly remove: (file: File, name: string) => number
}

const FIRST_TRY_BYTES = 4096

let calls: Calls | undefined

/** An extended attribute; undefined when the file has none of that name. Throws SystemCallError. */
export function getXattr(file: File, name: string): Uint8Array | undefined {
  calls ??= bind()
  for (let roomBytes = FIRST_TRY_BYTES; ; ) {
    const value = Buffer.allocUnsafe(roomBytes)
    try {
      const sizeBytes = checked('getxattr', calls.get(file, name, value, roomBytes))
      return value.subarray(0, sizeBytes)
    } catch (error) {
      if (isMissing(error)) return undefined
      if (!(error instanceof SystemCallError) || error.code !== 'ERANGE') throw error
      roomBytes = checked('getxattr', calls.get(file, name, null, 0)) + FIRST_TRY_BYTES
    }
  }
}

/** Creates or replaces an extended attribute. Throws SystemCallError. */
export function setXattr(file: File, name: string, value: Uint8Array): void {
  calls ??= bind()
  checked('setxattr', calls.set(file, name, value))
}

/** Removes an extended attribute; one that is not there is no error. Throws SystemCallError. */
export function removeXattr(file: File, name: string): void {
  calls ??= bind()
  try {
    checked('removexattr', calls.remove(file, name))
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/** Linux says ENODATA, macOS ENOATTR (93), for which Node has no name. */
function isMissing(error: unknown): boolean {
  return error instanceof SystemCallError && (error.code === 'ENODATA' || error.errno === -93)
}

function bind(): Calls {
  return process.platform === 'darwin' ? bindDarwin() : bindLinux()
}

function bindLinux(): Calls {
  const { libc } = loadLibc()
  const get = libc.func('long getxattr(const char *path, const char *name, void *value, size_t size)')
  const fget = libc.func('long fgetxattr(int fd, const char *name, void *value, size_t size)')
  const set = libc.func('int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)')
  const fset = libc.func('int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)')
  const remove = libc.func('int removexattr(const char *path, const char *name)')
  const fremove = libc.func('int fremovexattr(int fd, const char *name)')
  return {
    get: (file, name, value, size) => pick(file, get, fget)(file, name, value, size),
    set: (file, name, value) => pick(file, set, fset)(file, name, value, value.byteLength, 0),
    remove: (file, name) => pick(file, remove, fremove)(file, name),
  }
}

/** macOS has a position (for resource forks) and options behind the arguments of Linux. */
function bindDarwin(): Calls {
  const { libc } = loadLibc()
  const tail = 'uint32_t position, int options)'
  const get = libc.func(`long getxattr(const char *path, const char *name, void *value, size_t size, ${tail}`)
  const fget = libc.func(`long fgetxattr(int fd, const char *name, void *value, size_t size, ${tail}`)
  const set = libc.func(`int setxattr(const char *path, const char *name, const void *value, size_t size, ${tail}`)
  const fset = libc.func(`int fsetxattr(int fd, const char *name, const void *value, size_t size, ${tail}`)
  const remove = libc.func('int removexattr(const char *path, const char *name, int options)')
  const fremove = libc.func('int fremovexattr(int fd, const char *name, int options)')
  return {
    get: (file, name, value, size) => pick(file, get, fget)(file, name, value, size, 0, 0),
    set: (file, name, value) => pick(file, set, fset)(file, name, value, value.byteLength, 0, 0),
    remove: (file, name) => pick(file, remove, fremove)(file, name, 0),
  }
}

function pick(file: File, byPath: NativeCall, byDescriptor: NativeCall): NativeCall {
  return typeof file === 'string' ? byPath : byDescriptor
}
