import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * `told` gives what a call returned, bytes as latin1, or the name of its errno. `libc` holds what Python has no name for;
 * `c` calls it in the same way. `tell` prints the answer of the program, as JSON.
 */
const PRELUDE = `
import ctypes, errno, json, mmap, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def told(call, *args, **more):
    try: result = call(*args, **more)
    except OSError as error: return errno.errorcode[error.errno]
    return result.decode('latin1') if isinstance(result, bytes) else result
def c(name, *args):
    result = getattr(libc, name)(*[ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args])
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]
def tell(answer): print(json.dumps(answer))
path = lambda name: os.path.join(sys.argv[1], name)
`

/** Runs a program in the folder of its first argument; resolves with what it tells. */
export async function python(program: string, folder: string, ...args: readonly string[]): Promise<unknown> {
  const { stdout } = await run('python3', ['-c', PRELUDE + program, folder, ...args])
  return JSON.parse(stdout)
}
