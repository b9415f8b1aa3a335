import assert from 'node:assert/strict'
import fc from 'fast-check'
import { S_IFMT, S_IFREG } from '../../src/fs/attributes.js'
import { anyPath, Command, expectAttributes, failsWith, offset, path, succeeds } from './command.js'
import { truncateAtOnce } from './file-commands.js'
import { keyOf, type Reference } from './reference.js'
import type { KeptAttributes, ReferenceFile } from './reference-file.js'
import type { World } from './world.js'

const stat = anyPath.map(
  at =>
    new Command(`stat ${at}`, async (model, world) => {
      const entry = await world.driver.stat(at)
      const found = model.at(at)
      if (failsWith(entry, 'errno' in found ? found.errno : undefined)) return
      const { attributes } = succeeds(entry)
      if ('file' in found) return expectAttributes(found.file, attributes, world)
      if ('folder' in found && found.folder.mode !== undefined && !world.isForgetful && world.shape.asksAllAttributes) {
        const { mode, uid, gid } = found.folder
        assert.deepEqual(
          [attributes.mode & 0o7777, attributes.uid, attributes.gid],
          [mode, uid ?? attributes.uid, gid ?? attributes.gid],
        )
      }
    }),
)

const truncate = fc.tuple(path, offset).map(
  ([at, sizeBytes]) =>
    new Command(`truncate ${at} to ${sizeBytes}`, async (model, world) => {
      const found = model.at(at)
      if ('file' in found && found.file.type !== S_IFREG) return
      const done = await world.driver.setattr(at, { sizeBytes })
      if (failsWith(done, 'errno' in found ? found.errno : 'folder' in found ? 'EISDIR' : undefined)) return
      succeeds(done)
      if ('file' in found) truncateAtOnce(model, found.file, sizeBytes, world)
    }),
)

/** Stored at once, or with who has the file open for writing. */
function keep(model: Reference, file: ReferenceFile, kept: Partial<KeptAttributes>): void {
  const isAlone = file.writers === 0
  file.kept = { ...file.kept, ...kept }
  file.isDirty = true
  if (!isAlone) return
  file.base = file.version
  model.commit(file)
}

const time = fc.record({
  seconds: fc.constantFrom(1_000_000_000, 1_800_000_000),
  nanoseconds: fc.constantFrom(0, 5_000_000),
})

const setattr = fc
  .tuple(
    anyPath,
    fc.record(
      {
        mode: fc.constantFrom(0o600, 0o644, 0o4755, 0o400),
        uid: fc.constantFrom(0, 1000, 77),
        gid: fc.constantFrom(1000, 77),
        mtime: fc.oneof(fc.constant('now' as const), time),
      },
      { requiredKeys: [] },
    ),
  )
  .map(
    ([at, changes]) =>
      new Command(`setattr ${at} ${JSON.stringify(changes)}`, async (model, world) => {
        if (Object.keys(changes).length === 0) return
        const found = model.at(at)
        const done = await world.driver.setattr(at, changes)
        if (failsWith(done, 'errno' in found ? found.errno : undefined)) return
        // Where the folder's own key holds bytes it must not become a marker.
        const holdsBytes = 'folder' in found && (model.bucket.get(`${keyOf(at)}/`)?.bytes.length ?? 0) > 0
        if (failsWith(done, holdsBytes ? 'EPERM' : undefined)) return
        succeeds(done)
        const { mode, uid, gid, mtime } = changes
        if ('file' in found) {
          const { kept } = found.file
          keep(model, found.file, {
            ...(mode !== undefined && { mode: (kept.mode & S_IFMT) | mode }),
            ...(uid !== undefined && { uid }),
            ...(gid !== undefined && { gid }),
            ...(mtime !== undefined && { mtimes: [mtime === 'now' ? world.now() : mtime] }),
          })
        } else if ('folder' in found) changeFolder(model, world, at, { mode, uid, gid })
      }),
  )

function changeFolder(
  model: Reference,
  world: World,
  at: string,
  changes: { mode?: number | undefined; uid?: number | undefined; gid?: number | undefined },
): void {
  const folder = model.folders.get(at)
  if (folder === undefined) return
  const { mode = folder.mode, uid = folder.uid, gid = folder.gid } = changes
  Object.assign(folder, { mode, uid, gid })
  // A change of nothing may store nothing.
  const key = `${at}/`
  if (world.bucket.get(key) !== undefined && !model.bucket.has(key)) model.marker(at)
}

const NAMES = ['user.colour', 'user.Shape'] as const
const name = fc.constantFrom(...NAMES)

const setXattr = fc
  .tuple(
    path,
    name,
    fc.constantFrom('', 'red', '\xff\x00'),
    fc.constantFrom(undefined, 'absent' as const, 'present' as const),
  )
  .map(
    ([at, attribute, value, demand]) =>
      new Command(`set ${attribute} of ${at} to ${JSON.stringify(value)} ${demand ?? ''}`, async (model, world) => {
        const found = model.at(at)
        if ('folder' in found) return
        const done = await world.driver.setXattr(at, attribute, value, demand)
        if ('errno' in found) return void failsWith(done, found.errno)
        const { xattrs } = found.file.kept
        if (failsWith(done, demand === 'absent' && xattrs.has(attribute) ? 'EEXIST' : undefined)) return
        if (failsWith(done, demand === 'present' && !xattrs.has(attribute) ? 'ENODATA' : undefined)) return
        succeeds(done)
        keep(model, found.file, { xattrs: new Map([...xattrs, [attribute, value]]) })
      }),
  )

const removeXattr = fc.tuple(path, name).map(
  ([at, attribute]) =>
    new Command(`remove ${attribute} of ${at}`, async (model, world) => {
      const found = model.at(at)
      if ('folder' in found) return
      const done = await world.driver.removeXattr(at, attribute)
      if ('errno' in found) return void failsWith(done, found.errno)
      const { xattrs } = found.file.kept
      if (failsWith(done, xattrs.has(attribute) ? undefined : 'ENODATA')) return
      succeeds(done)
      keep(model, found.file, { xattrs: new Map([...xattrs].filter(([key]) => key !== attribute)) })
    }),
)

const readXattrs = path.map(
  at =>
    new Command(`read xattrs of ${at}`, async (model, world) => {
      const found = model.at(at)
      if (!('file' in found)) return
      const { xattrs } = found.file.kept
      for (const attribute of NAMES) {
        const got = await world.driver.getXattr(at, attribute)
        if (failsWith(got, xattrs.has(attribute) ? undefined : 'ENODATA')) continue
        assert.equal(succeeds(got), xattrs.get(attribute))
      }
      const listed = succeeds(await world.driver.listXattrs(at)).sort()
      // Nothing is asked for a list of names: it is empty where the version has been forgotten.
      if (!world.isForgetful || listed.length > 0) assert.deepEqual(listed, [...xattrs.keys()].sort())
    }),
)

export const ATTRIBUTE_COMMANDS = [stat, stat, truncate, setattr, setattr, setXattr, removeXattr, readXattrs]

/** Those that leave everything as it was where they fail. */
export const UNDOABLE_ATTRIBUTE_COMMANDS = [stat, setattr, setXattr, removeXattr, readXattrs]
