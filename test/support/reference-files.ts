/** A file of the reference: plain bytes. */
export interface ReferenceFile {
  content: Buffer
  path: string
  isUnlinked: boolean
  /** The bucket holds a version of it, and not only what it replaced. */
  isStored: boolean
  writers: number
}

/** What POSIX and doc/SEMANTICS.md say, in memory: the mount's files, and what the bucket has to hold at every moment. */
export class ReferenceFiles {
  readonly files = new Map<string, ReferenceFile>()
  readonly folders = new Set<string>([''])
  /** Keys of the bucket and their bytes. */
  readonly bucket = new Map<string, Buffer>()

  /** undefined, or why nothing can be at this path. */
  parentFault(path: string): 'ENOENT' | 'ENOTDIR' | undefined {
    const parent = parentOf(path)
    if (this.folders.has(parent)) return undefined
    let above = parent
    while (!this.folders.has(above) && !this.files.has(above)) above = parentOf(above)
    return this.files.has(above) ? 'ENOTDIR' : 'ENOENT'
  }

  names(folder: string): string[] {
    return [...this.files.keys(), ...this.folders]
      .filter(path => path !== '' && parentOf(path) === folder)
      .map(path => path.slice(folder === '' ? 0 : folder.length + 1))
      .sort()
  }

  create(path: string): ReferenceFile {
    const file = { content: Buffer.alloc(0), path, isUnlinked: false, isStored: false, writers: 0 }
    this.files.set(path, file)
    return file
  }

  write(file: ReferenceFile, offset: number, data: Uint8Array): void {
    const grown = Buffer.alloc(Math.max(file.content.length, offset + data.length))
    file.content.copy(grown)
    grown.set(data, offset)
    file.content = grown
  }

  truncate(file: ReferenceFile, sizeBytes: number): void {
    const cut = Buffer.alloc(sizeBytes)
    file.content.copy(cut)
    file.content = cut
  }

  /** What is written by now is in the bucket. */
  commit(file: ReferenceFile): void {
    if (file.isUnlinked) return
    this.bucket.set(file.path, file.content)
    file.isStored = true
  }

  unlink(path: string): void {
    const file = this.files.get(path)
    if (file === undefined) return
    file.isUnlinked = true
    this.files.delete(path)
    this.bucket.delete(path)
  }

  /** What is stored moves at once, what is not goes to the new name later: until then the old target stays stored. */
  rename(from: string, to: string): void {
    const file = this.files.get(from)
    if (file === undefined || from === to) return
    const stored = this.bucket.get(from)
    this.bucket.delete(from)
    const target = this.files.get(to)
    if (target !== undefined) target.isUnlinked = true
    if (stored !== undefined && file.isStored) this.bucket.set(to, stored)
    this.files.delete(from)
    this.files.set(to, file)
    file.path = to
  }

  /** The error of renaming a folder, if any. */
  renameFolderFault(from: string, to: string): 'ENOTDIR' | 'EINVAL' | 'ENOTEMPTY' | undefined {
    if (from === to) return undefined
    if (this.files.has(to)) return 'ENOTDIR'
    if (to.startsWith(`${from}/`)) return 'EINVAL'
    return this.folders.has(to) && this.names(to).length > 0 ? 'ENOTEMPTY' : undefined
  }

  /** All below goes along, stored or not. */
  renameFolder(from: string, to: string): void {
    if (from === to) return
    const moved = (path: string) => (path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path)
    for (const folder of [...this.folders]) if (this.folders.delete(folder)) this.folders.add(moved(folder))
    for (const [path, file] of [...this.files]) {
      this.files.delete(path)
      file.path = moved(path)
      this.files.set(file.path, file)
    }
    const stored = [...this.bucket].filter(([key]) => key.startsWith(`${from}/`))
    if (stored.length > 0) this.bucket.delete(`${to}/`)
    for (const [key, bytes] of stored) {
      this.bucket.delete(key)
      this.bucket.set(moved(key), bytes)
    }
  }

  mkdir(path: string): void {
    this.folders.add(path)
    this.bucket.set(`${path}/`, Buffer.alloc(0))
  }

  rmdir(path: string): void {
    this.folders.delete(path)
    this.bucket.delete(`${path}/`)
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
