import assert from 'node:assert/strict'
import fc from 'fast-check'
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from '../../src/fs/attributes.js'
import { anyPath, Command, DEFAULTS, failsWith, folder, path, succeeds } from './command.js'
import { keyOf, type Reference } from './reference.js'
import type { ReferenceFile } from './reference-file.js'
import { beforeRename } from './unheard.js'
import type { World } from './world.js'

/** Why nothing new can stand at a path. */
function newFault(model: Reference, at: string): string | undefined {
  const parent = model.parentFault(at)
  if (parent !== undefined) return parent
  return 'errno' in model.at(at) ? undefined : 'EEXIST'
}

const unlink = anyPath.map(
  at =>
    new Command(`unlink ${at}`, async (model, world) => {
      const done = await world.driver.remove(at, 'unlink')
      if (failsWith(done, model.parentFault(at))) return
      const found = model.at(at)
      if (failsWith(done, 'folder' in found ? 'EISDIR' : 'errno' in found ? found.errno : undefined)) return
      succeeds(done)
      if ('file' in found) {
        const { file } = found
        const hides = hidesOthers(model, file)
        model.unlink(file)
        await settle(model, world, hides)
      }
    }),
)

/** What others have stored shows, and an emptied folder gives way to an object of its key, when somebody asks again. */
async function settle(model: Reference, world: World, hidesOthers: boolean): Promise<void> {
  const folders = model.folders.size
  model.settle()
  if (!hidesOthers && model.folders.size === folders) return
  world.waitForTtl()
  for (const at of model.files.keys()) await world.driver.stat(at)
}

/** The error of renaming a folder, if any. */
function folderFault(model: Reference, from: string, to: string): string | undefined {
  const target = model.at(to)
  if ('file' in target) return 'ENOTDIR'
  if (to.startsWith(`${from}/`)) return 'EINVAL'
  return 'folder' in target && model.names(to).length > 0 ? 'ENOTEMPTY' : undefined
}

const renameFolder = fc.tuple(folder, fc.constantFrom('a', 'c', 'd', 'd/e', 'd/e/a', 'd/b')).map(
  ([from, to]) =>
    new Command(`rename folder ${from} to ${to}`, async (model, world) => {
      if (!('folder' in model.at(from))) return
      // Of what others have changed each name keeps its own.
      if ([...model.files.values()].some(file => model.isOutdated(file) || hidesOthers(model, file))) return
      const done = await world.driver.rename(from, to, { noReplace: false, exchange: false })
      if (failsWith(done, model.parentFault(to))) return
      if (from === to) return void succeeds(done)
      if (failsWith(done, folderFault(model, from, to))) return
      succeeds(done)
      model.renameFolder(from, to, world.now())
      await settle(model, world, false)
    }),
)

/** What others stored under a name of ours shows when it is asked for again. */
function hidesOthers(model: Reference, file: ReferenceFile): boolean {
  return file.version === undefined && file.replaced === undefined && model.bucket.has(keyOf(file.path))
}

const rename = fc
  .tuple(
    path,
    path,
    fc.nat(5).map(drawn => drawn === 0),
  )
  .map(
    ([from, to, noReplace]) =>
      new Command(`rename ${from} to ${to}${noReplace ? ' NOREPLACE' : ''}`, async (model, world) => {
        const source = model.at(from)
        // Folders have a command of their own.
        if ('folder' in source) return
        const target = model.at(to)
        const done = await world.driver.rename(from, to, { noReplace, exchange: false })
        if (failsWith(done, model.parentFault(from) ?? model.parentFault(to))) return
        if ('errno' in source) return void failsWith(done, source.errno)
        if (failsWith(done, noReplace && !('errno' in target) && from !== to ? 'EEXIST' : undefined)) return
        if (failsWith(done, 'folder' in target ? 'EISDIR' : undefined)) return
        const { file } = source
        if (from !== to && model.isOutdated(file))
          return void failsWith(done, model.bucket.has(keyOf(from)) ? 'ESTALE' : 'ENOENT')
        // What others stored under a name of ours shows when it is asked for again.
        const hides = file.version === undefined && file.replaced === undefined && model.bucket.has(keyOf(from))
        if (from !== to && noReplace && file.version !== undefined && model.bucket.has(keyOf(to)))
          return void failsWith(done, 'EEXIST')
        succeeds(done)
        if (from === to) return
        const isStoredAnew = file.isUnheard && world.bucket.get(keyOf(to))?.etag !== file.version?.etag
        if (isStoredAnew && !file.wasEdited) beforeRename(model, file)
        model.rename(file, to)
        await settle(model, world, hides)
      }),
  )

const mkdir = folder.map(
  at =>
    new Command(`mkdir ${at}`, async (model, { driver }) => {
      const done = await driver.mkdir(at)
      if (failsWith(done, newFault(model, at))) return
      if (failsWith(done, model.mkdir(at, 0o755, 1000, 1000))) return
      succeeds(done)
    }),
)

const rmdir = folder.map(
  at =>
    new Command(`rmdir ${at}`, async (model, world) => {
      const done = await world.driver.remove(at, 'rmdir')
      if (failsWith(done, model.parentFault(at))) return
      const found = model.at(at)
      if (failsWith(done, 'file' in found ? 'ENOTDIR' : 'errno' in found ? found.errno : undefined)) return
      if (failsWith(done, model.names(at).length > 0 ? 'ENOTEMPTY' : undefined)) return
      succeeds(done)
      model.rmdir(at)
      await settle(model, world, false)
    }),
)

const special = fc.tuple(path, fc.constantFrom(S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK)).map(
  ([at, type]) =>
    new Command(`mknod ${at} ${type.toString(8)}`, async (model, world) => {
      const rdev = type === S_IFCHR || type === S_IFBLK ? 0x501 : 0
      const done = await world.driver.mknod(at, type | 0o640, rdev)
      if (failsWith(done, newFault(model, at))) return
      const kept = { ...DEFAULTS, mode: type | 0o640, rdev, mtimes: [world.now()] }
      if (failsWith(done, model.make(at, type, Buffer.alloc(0), kept))) return
      succeeds(done)
    }),
)

const symlink = fc.tuple(path, fc.constantFrom('a', '../d/b', '/etc/passwd', 'nowhere')).map(
  ([at, target]) =>
    new Command(`symlink ${at} -> ${target}`, async (model, world) => {
      const done = await world.driver.symlink(at, target)
      if (failsWith(done, newFault(model, at))) return
      const kept = { ...DEFAULTS, mode: S_IFLNK | 0o777, mtimes: [world.now()] }
      if (failsWith(done, model.make(at, S_IFLNK, Buffer.from(target), kept))) return
      succeeds(done)
    }),
)

/** What is forgotten of a link shows it as a file until it is opened. */
const readlink = path.map(
  at =>
    new Command(`readlink ${at}`, async (model, world) => {
      const told = await world.driver.readlink(at)
      const found = model.at(at)
      if (failsWith(told, 'errno' in found ? found.errno : undefined)) return
      if (world.isForgetful && 'errno' in told && told.errno === 'EINVAL') return
      if ('file' in found && found.file.type === S_IFLNK) assert.equal(succeeds(told), found.file.content.toString())
      else failsWith(told, 'EINVAL')
    }),
)

const listed = fc.oneof(fc.constant(''), folder)

const list = fc.tuple(listed, fc.boolean()).map(
  ([at, withAttributes]) =>
    new Command(`list ${at}/${withAttributes ? ' with attributes' : ''}`, async (model, { driver }) => {
      const names = await driver.list(at, withAttributes)
      const found = model.at(at)
      if (failsWith(names, 'errno' in found ? found.errno : 'file' in found ? 'ENOTDIR' : undefined)) return
      assert.deepEqual([...succeeds(names)].sort(), model.names(at))
    }),
)

/** What is there all the time is listed once, and nothing twice. */
const listMeanwhile = fc.tuple(listed, fc.boolean(), fc.oneof(unlink, rename, mkdir, rmdir, special)).map(
  ([at, withAttributes, between]) =>
    new Command(`list ${at}/${withAttributes ? ' with attributes' : ''} while ${between}`, async (model, world) => {
      if (!('folder' in model.at(at))) return
      const before = new Map(model.files)
      const namesBefore = model.names(at)
      let hasRun = false
      const names = succeeds(
        await world.driver.list(at, withAttributes, async () => {
          hasRun = true
          await between.step(model, world)
        }),
      )
      if (!hasRun) return
      assert.equal(new Set(names).size, names.length, `twice in ${names}`)
      const after = model.names(at)
      const pathIn = (name: string) => (at === '' ? name : `${at}/${name}`)
      for (const name of namesBefore) {
        const isSame = before.get(pathIn(name)) === model.files.get(pathIn(name))
        if (after.includes(name) && isSame) assert(names.includes(name), `${name} is missing in ${names}`)
      }
      for (const name of names) assert(namesBefore.includes(name) || after.includes(name), `${name} was never there`)
    }),
)

export const NAME_COMMANDS = [
  unlink,
  unlink,
  rename,
  rename,
  rename,
  renameFolder,
  mkdir,
  mkdir,
  rmdir,
  special,
  symlink,
  readlink,
  list,
  list,
  listMeanwhile,
]
