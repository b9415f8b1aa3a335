import { writeFile } from 'node:fs/promises'
import type { Log } from '../../backend/log.js'

/**
 * How far the kernel reads ahead in the files of a device (`major:minor`). The protocol only lowers it; the device's
 * setting raises it, where this user may write it.
 */
export async function setReadAhead(device: string, readAheadBytes: number, log: Log): Promise<void> {
  const path = `/sys/class/bdi/${device}/read_ahead_kb`
  try {
    await writeFile(path, String(Math.floor(readAheadBytes / 1024)))
  } catch (error) {
    log.debug('the kernel keeps its own read-ahead', { path, error })
  }
}
