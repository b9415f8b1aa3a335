import { createHash, randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KnowledgeKeeper } from '../backend/s3/options.js'
import { makeFolder } from '../system/make-folder.js'

/** Keeps what is known of an endpoint as a file that all mounts share; what can't be kept is found out again. */
export function knowledgeIn(folder: string, name: string): KnowledgeKeeper {
  const path = join(folder, `${createHash('sha256').update(name).digest('hex').slice(0, 32)}.json`)
  return {
    load: async () => {
      const text = await readFile(path, 'utf8').catch(() => undefined)
      return text === undefined ? undefined : (JSON.parse(text) as unknown)
    },
    save: async value => {
      makeFolder(folder)
      // Containers that share the folder may have the same process numbers.
      const whole = `${path}.${randomUUID()}`
      try {
        await writeFile(whole, JSON.stringify(value), { mode: 0o600 })
        await rename(whole, path)
      } catch (error) {
        // On a full disk it would be one more each time.
        await rm(whole, { force: true })
        throw error
      }
    },
  }
}
