import { MAX_KEY_BYTES } from '../backend/keys.js'
import { FsError } from './fs-error.js'

/** The longest file name, in bytes (NAME_MAX of Linux). */
export const MAX_NAME_BYTES = 255

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The component of a key that a file name stands for: its text. ENAMETOOLONG over 255 bytes, EILSEQ for bytes that
 * are no UTF-8.
 */
export function componentOf(name: Uint8Array): string {
  if (name.length > MAX_NAME_BYTES) throw new FsError('ENAMETOOLONG', `a name of ${name.length} bytes`)
  try {
    return utf8.decode(name)
  } catch (cause) {
    throw new FsError('EILSEQ', `the name ${JSON.stringify(Buffer.from(name).toString('latin1'))} is no UTF-8`, cause)
  }
}

/** The file name that shows a component of a key; undefined where no name can. */
export function nameOf(component: string): Buffer | undefined {
  if (component === '' || component === '.' || component === '..' || component.includes('\0')) return undefined
  const name = Buffer.from(component)
  return name.length > MAX_NAME_BYTES ? undefined : name
}

/** The key of a name below a prefix (empty, or with its trailing slash); ENAMETOOLONG where no store takes it. */
export function childKey(prefix: string, component: string): string {
  const key = prefix + component
  // A directory's marker has one byte more.
  if (Buffer.byteLength(key) >= MAX_KEY_BYTES) throw new FsError('ENAMETOOLONG', 'the key would be over 1,024 bytes')
  return key
}
