import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Files by their paths below a folder. */
export type FileTree = Readonly<Record<string, string | Uint8Array>>

export async function writeTree(folder: string, files: FileTree): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
}

/** All that is below a folder: text by path, `-> target` for a link, `/` for a folder that holds nothing. */
export async function readTree(folder: string, above = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const [name, path] = [`${above}${entry.name}`, join(folder, entry.name)]
    if (entry.isSymbolicLink()) found[name] = `-> ${await readlink(path)}`
    else if (entry.isFile()) found[name] = await readFile(path, 'utf8')
    else {
      const below = await readTree(path, `${name}/`)
      Object.assign(found, Object.keys(below).length === 0 ? { [name]: '/' } : below)
    }
  }
  return found
}
