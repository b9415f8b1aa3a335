import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

const DEFAULT_KEYS = 10_000

/** What is below a part of the keys; a name may be both an object and a folder. */
interface Branch {
  readonly folders: Map<string, Branch>
  readonly objects: Map<string, number>
}

/** `bucket tree`. */
export const tree: BucketCommand = {
  describe: command =>
    command
      .description('Shows keys as a tree of folders.')
      .argument('[PREFIX]', 'only keys that begin with this')
      .option('--max-keys <NUMBER>', `keys at the most (default: ${DEFAULT_KEYS})`)
      .option('--depth <NUMBER>', 'folders in each other at the most'),
  run: async context => {
    const { output, signal } = context
    const [prefix = ''] = context.words
    const maxKeys = context.count('maxKeys', 1) ?? DEFAULT_KEYS
    const depth = context.count('depth', 1) ?? Number.POSITIVE_INFINITY
    const bucket = await context.openBucket()
    const { objects, truncated } = await bucket.list({ prefix, maxKeys, signal })
    const root = emptyBranch()
    for (const { key, sizeBytes } of objects) plant(root, key.slice(prefix.length).split('/'), sizeBytes)
    if (output.isJson) output.printJson(branchJson(root, depth))
    else output.print(prefix === '' ? bucket.url : prefix, ...lines(root, depth, ''))
    if (truncated) output.remark('...Results are truncated...')
    return EXIT.done
  },
}

function emptyBranch(): Branch {
  return { folders: new Map(), objects: new Map() }
}

function plant(root: Branch, parts: readonly string[], sizeBytes: number): void {
  let branch = root
  for (const part of parts.slice(0, -1)) {
    const next = branch.folders.get(part) ?? emptyBranch()
    branch.folders.set(part, next)
    branch = next
  }
  branch.objects.set(parts.at(-1) ?? '', sizeBytes)
}

function lines(branch: Branch, depth: number, indent: string): readonly string[] {
  const names = [
    ...[...branch.folders].map(([name, below]) => ({ text: `${name}/`, below })),
    ...[...branch.objects.keys()].filter(name => name !== '').map(name => ({ text: name, below: undefined })),
  ]
  return names.flatMap(({ text, below }, index) => {
    const isLast = index === names.length - 1
    const line = `${indent}${isLast ? '`-- ' : '|-- '}${text}`
    if (below === undefined || depth <= 1) return [line]
    return [line, ...lines(below, depth - 1, `${indent}${isLast ? '    ' : '|   '}`)]
  })
}

function branchJson(branch: Branch, depth: number): unknown {
  return {
    folders: Object.fromEntries(
      [...branch.folders].map(([name, below]) => [name, depth <= 1 ? {} : branchJson(below, depth - 1)]),
    ),
    objects: Object.fromEntries(branch.objects),
  }
}
