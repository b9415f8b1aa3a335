import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../backend/call.js'
import { onLocalDisk } from './local-file.js'

export interface FoundFile {
  readonly path: string
  /** From the folder on, with slashes. */
  readonly name: string
}

/**
 * All regular files below a folder. Symbolic links are not followed and, as pipes and devices, left out. Rejects where the folder
 * or one below it can't be read.
 */
export async function* filesBelow(
  folder: string,
  signal: AbortSignal | undefined,
  parent = '',
): AsyncGenerator<FoundFile, void, undefined> {
  const entries = await onLocalDisk(folder, 'put', async () => {
    const found: Dirent[] = []
    for await (const entry of await opendir(folder)) found.push(entry)
    return found
  })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    throwIfAborted(signal, 'put')
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path, signal, `${parent}${entry.name}/`)
    else if (entry.isFile()) yield { path, name: `${parent}${entry.name}` }
  }
}
