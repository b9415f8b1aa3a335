import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/** The names in a folder are on the disk then. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
