import fc from 'fast-check'
import type { Metadata } from '../../src/backend/object-store.js'
import { S_IFIFO, S_IFREG } from '../../src/fs/attributes.js'
import { Command, DEFAULTS, path, size } from './command.js'
import { keyOf, type Reference } from './reference.js'
import type { KeptAttributes, StoredObject } from './reference-file.js'
import type { World } from './world.js'

/** Keys that others make: also such that no plain name shows. */
const key = fc.oneof(
  path,
  path,
  path,
  fc.constantFrom('a/b', 'd', 'd/e', 'a/', 'd/', '/x', 'd//x', '.', 'd/..', '\u241bk', 'd/e/\u241bo', 'x\0y'),
)

const attached = fc.constantFrom<{ metadata: Metadata; kept: Partial<KeptAttributes> }>(
  { metadata: {}, kept: {} },
  { metadata: { mode: String(S_IFREG | 0o751), uid: '77' }, kept: { mode: S_IFREG | 0o751, uid: 77 } },
  {
    metadata: { mtime: '1500000000.25', colour: 'blue' },
    kept: {
      mtimes: [{ seconds: 1_500_000_000, nanoseconds: 250_000_000 }],
      xattrs: new Map([['user.colour', 'blue']]),
    },
  },
)

/** An object as others store it: without a byte it may be a pipe. */
function storedBy(world: World, bytes: Buffer, given: Partial<KeptAttributes>, isPipe: boolean): StoredObject {
  const type = isPipe ? S_IFIFO : S_IFREG
  const kept = { ...DEFAULTS, mtimes: [world.now()], ...given, ...(isPipe && { mode: S_IFIFO | 0o777 }) }
  return { bytes, type, kept, isOutside: true, etag: undefined }
}

/**
 * Whether a change by others can be told to the reference: the mount's own unstored files hold their names, and what
 * becomes of them when a folder comes or goes under these is not promised.
 */
function isClear(model: Reference, at: string): boolean {
  return ![...model.files].some(([path, file]) => {
    if (file.isUnheard) return true
    const shown = path.replace(/\/\u241bo$/, '')
    return file.isLocal && path !== at && (at.startsWith(`${shown}/`) || shown.startsWith(`${at}/`) || shown === at)
  })
}

/** Others change the bucket; the mount hears of it when the TTL has passed and somebody looks. */
async function change(
  model: Reference,
  world: World,
  changed: string,
  object: StoredObject | undefined,
): Promise<void> {
  const before = [...model.files.keys()]
  model.outside(changed, object)
  world.waitForTtl()
  for (const at of new Set([...before, ...model.files.keys()])) await world.driver.stat(at)
}

const put = fc.tuple(key, size, attached, fc.boolean()).map(
  ([at, length, { metadata, kept }, isPipe]) =>
    new Command(`others put ${JSON.stringify(at)} of ${length} ${JSON.stringify(metadata)}`, async (model, world) => {
      const isMarker = at.endsWith('/') && length === 0
      if (!isClear(model, at) || isMarker) return
      // Empty objects all have the same ETag: who knows one takes another for it.
      const isKnown = model.bucket.has(at) || world.handles.some(({ file }) => keyOf(file.path) === at)
      const bytes = world.newBytes(isKnown ? length + 1 : length)
      const type = isPipe && bytes.length === 0 ? { mode: String(S_IFIFO | 0o777) } : undefined
      await world.outside.put(at, bytes, { metadata: { ...metadata, ...type } })
      await change(model, world, at, storedBy(world, bytes, kept, type !== undefined))
    }),
)

const remove = key.map(
  at =>
    new Command(`others remove ${JSON.stringify(at)}`, async (model, world) => {
      if (!model.bucket.has(at) || !isClear(model, at)) return
      await world.outside.delete([{ key: at }])
      await change(model, world, at, undefined)
    }),
)

/** As another mount's chmod: the bytes and their ETag stay. */
const copyOver = fc.tuple(path, attached).map(
  ([at, { metadata, kept }]) =>
    new Command(`others copy ${at} onto itself with ${JSON.stringify(metadata)}`, async (model, world) => {
      const before = model.bucket.get(at)
      if (before === undefined || before.type !== S_IFREG || !isClear(model, at)) return
      // While the mount holds the file it shows what it knows.
      if (model.files.get(at)?.version !== before || model.isHeld(at)) return
      world.waitForTtl()
      await world.outside.copy(at, at, { metadata, sourceIfMatch: before.etag })
      // The bytes are as old as they were, whatever the store says of the object.
      const mtimes = kept.mtimes ?? [world.now(), ...before.kept.mtimes]
      await change(model, world, at, storedBy(world, before.bytes, { ...kept, mtimes }, false))
    }),
)

const mark = fc.constantFrom('d/', 'a/', 'd/e/').map(
  at =>
    new Command(`others make the folder ${at}`, async (model, world) => {
      if (model.bucket.has(at) || !isClear(model, at.slice(0, -1))) return
      if (model.files.get(at.slice(0, -1))?.isLocal === true) return
      await world.outside.put(at, new Uint8Array(0), {})
      await change(model, world, at, storedBy(world, Buffer.alloc(0), {}, false))
    }),
)

export const OUTSIDE_COMMANDS = [put, put, put, remove, remove, copyOver, mark]
