import { readFile } from 'node:fs/promises'
import type { TransportOptions } from '../transport.js'

const CONFIGURATION = '/etc/fuse.conf'

/** fusermount refuses `allow_other` and `allow_root` of ordinary users, and the package does not pass on why. */
export async function checkAllowOther(options: Pick<TransportOptions, 'allowOther' | 'allowRoot'>): Promise<void> {
  if (process.platform !== 'linux' || process.geteuid?.() === 0) return
  if (!options.allowOther && !options.allowRoot) return
  // A file that can't be read allows nothing.
  const text = await readFile(CONFIGURATION, 'utf8').catch(() => '')
  if (/^\s*user_allow_other\s*$/m.test(text)) return
  const flag = options.allowOther ? '--allow-other' : '--allow-root'
  throw new Error(`${flag} needs the line user_allow_other in ${CONFIGURATION}`)
}
