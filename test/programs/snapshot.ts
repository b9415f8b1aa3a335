import type { PosixContext } from '../posix/posix-context.js'

/** Opens files and folders before it looks at them, since that is when a mount knows their attributes for sure. */
const SCRIPT = `
import hashlib, json, stat, time
def paths(folder):
  for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name)
    yield path
    if stat.S_ISDIR(os.lstat(path).st_mode): yield from paths(path)
for path in paths("."):
  status, content = os.lstat(path), ""
  if stat.S_ISREG(status.st_mode):
    with open(path, "rb") as file: content = f"{status.st_size} {hashlib.file_digest(file, 'sha256').hexdigest()}"
  elif stat.S_ISLNK(status.st_mode): content = os.readlink(path)
  elif stat.S_ISDIR(status.st_mode): os.listdir(path)
  status = os.lstat(path)
  modified = status.st_mtime_ns if status.st_mtime < time.time() - 86400 else "new"
  print(json.dumps([path, stat.filemode(status.st_mode), status.st_uid, status.st_gid, modified, content]))
`

/**
 * All that lies below a folder, a line each: path, type and mode, owner, content. A time of the last change is told
 * where a program has set it, to one of long ago.
 */
export async function snapshot(folder: PosixContext): Promise<readonly string[]> {
  return (await folder.python(SCRIPT)).trimEnd().split('\n')
}
