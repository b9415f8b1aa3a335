/**
 * A program that mounts a MemoryFilesystem with the transport that was built into dist/, for tests to spawn:
 * `MOUNTPOINT KIND TTL_MS [OPTION...]`. It talks over ipc: `ready`, traces and `ended` come from it; `unmount`,
 * `unmount-lazy` and `replace NAME CONTENT` go to it. It ends by itself when the mount is gone.
 */
import type { Log } from '../../src/backend/log.js'
import type { TransportKind } from '../../src/fuse/create-transport.js'
import { MemoryFilesystem } from './fuse-memory-filesystem.js'

const dist = new URL('../../../dist/', import.meta.url)
const load = (path: string) => import(new URL(path, dist).href)
const { FsError } = (await load('fs/fs-error.js')) as typeof import('../../src/fs/fs-error.js')
const { createTransport } = (await load(
  'fuse/create-transport.js',
)) as typeof import('../../src/fuse/create-transport.js')

const [, , mountPoint = '', kind = 'kernel', ttlMs = '1000', ...mountOptions] = process.argv
const tell = (message: string): void => {
  process.send?.(message)
}
const write = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
  tell(`log ${level} ${message} ${fields?.error ?? ''}`)
const log: Log = { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') }

const transport = await createTransport(kind as TransportKind, {
  mountPoint,
  source: 'mem://test,with\\comma',
  readOnly: mountOptions.includes('ro'),
  allowOther: mountOptions.includes('allow_other'),
  allowRoot: mountOptions.includes('allow_root'),
  defaultPermissions: true,
  mountOptions: mountOptions.filter(word => word !== 'ro' && !word.startsWith('allow_')),
  owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
  kernelReadAheadBytes: 1 << 20,
  log,
})

const filesystem = new MemoryFilesystem({ FsError, ttlMs: Number(ttlMs), trace: tell, holders: transport.holders })

process.on('message', (message: readonly string[]) => {
  void obey(message).catch((error: unknown) => tell(`refused ${(error as NodeJS.ErrnoException).code}`))
})

async function obey([command, name = '', content = '']: readonly string[]): Promise<void> {
  if (command === 'unmount') await transport.unmount({ lazy: false })
  if (command === 'unmount-lazy') await transport.unmount({ lazy: true })
  if (command === 'go') filesystem.go()
  if (command === 'exit') process.exit(0)
  if (command === 'held') tell(`held ${await transport.holders.isHeld([Number(name)], Number(content))}`)
  if (command !== 'replace') return
  const { node, isNew } = filesystem.replace(name, content)
  if (isNew) transport.kernelCache.invalidateEntry(1, Buffer.from(name))
  else transport.kernelCache.invalidateNode(node)
  tell('replaced')
}

try {
  await transport.start(filesystem)
  tell('ready')
  await transport.ended
  tell('ended')
} catch (error) {
  tell(`failed ${error}`)
  process.exitCode = 1
}
// Nothing but the parent's channel may hold the process now.
process.disconnect?.()
