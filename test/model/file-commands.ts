import assert from 'node:assert/strict'
import fc from 'fast-check'
import { S_IFREG } from '../../src/fs/attributes.js'
import { Command, DEFAULTS, expectStored, failsWith, offset, onHandle, path, pick, size, succeeds } from './command.js'
import type { Outcome } from './driver.js'
import type { Reference } from './reference.js'
import type { ReferenceFile } from './reference-file.js'
import type { OpenHandle, World } from './world.js'

function opens(name: string, isCreating: boolean): fc.Arbitrary<Command> {
  const flags = fc.record({
    read: fc.boolean(),
    write: fc.boolean(),
    append: fc.boolean(),
    truncate: fc.boolean(),
    exclusive: isCreating ? fc.boolean() : fc.constant(false),
    sync: fc.nat(9).map(drawn => drawn === 0),
  })
  return fc.tuple(path, flags, fc.constantFrom(1, 2, 3)).map(([at, drawn, pid]) => {
    const write = drawn.write || drawn.append || isCreating
    const given = { ...drawn, write, read: drawn.read || !write }
    const shown = Object.entries(given).flatMap(([flag, isSet]) => (isSet ? [flag] : []))
    return new Command(`${name} ${at} (${shown}) by ${pid}`, async (model, world) => {
      if (model.files.get(at)?.type !== undefined && model.files.get(at)?.type !== S_IFREG) return
      const { driver } = world
      const opened = await (isCreating ? driver.create(at, given, pid) : driver.open(at, given, pid))
      if (failsWith(opened, model.parentFault(at))) return
      const found = model.at(at)
      if (given.exclusive && !('errno' in found)) return void failsWith(opened, 'EEXIST')
      if (failsWith(opened, 'folder' in found ? 'EISDIR' : undefined)) return
      if (failsWith(opened, 'errno' in found && !isCreating ? 'ENOENT' : undefined)) return
      const file = 'file' in found ? found.file : created(model, at, given, world)
      if ('file' in found && write) file.hold()
      const id = succeeds(opened)
      const { read: isReader, append: isAppender, sync: isSync } = given
      file.handles += 1
      world.handles.push({ id, file, isReader, isWriter: write, isAppender, isSync, pid })
      if (given.truncate && write && 'file' in found) file.truncate(0, world.now())
      if (given.truncate && !write) truncateAtOnce(model, file, 0, world)
    })
  })
}

function created(
  model: Reference,
  at: string,
  given: { readonly exclusive: boolean; readonly truncate: boolean },
  world: World,
): ReferenceFile {
  const kept = { ...DEFAULTS, mtimes: [world.now()] }
  return model.create(at, kept, given.exclusive ? 'exclusive' : given.truncate ? undefined : 'believed')
}

/** truncate(2): stored when the call returns, or with who has the file open for writing. */
export function truncateAtOnce(model: Reference, file: ReferenceFile, sizeBytes: number, world: World): void {
  const isAlone = file.writers === 0
  file.hold()
  if (file.content.length !== sizeBytes) file.truncate(sizeBytes, world.now())
  else file.kept = { ...file.kept, mtimes: [...file.kept.mtimes, world.now()] }
  if (isAlone) model.commit(file)
  file.writers -= 1
}

async function change(
  { file, isSync }: OpenHandle,
  model: Reference,
  outcome: Outcome<unknown>,
  apply: () => void,
): Promise<void> {
  apply()
  if (isSync) expectStored(model, file, outcome)
  else succeeds(outcome)
}

const write = onHandle('write', fc.tuple(offset, size), async (handle, [at, length], model, world) => {
  if (!handle.isWriter) return
  await writeTo(handle, at, world.newBytes(length), model, world)
})

async function writeTo(handle: OpenHandle, at: number, data: Buffer, model: Reference, world: World): Promise<void> {
  const { file, id, pid } = handle
  const start = handle.isAppender ? file.content.length : at
  const outcome = await world.driver.on(world.h.write(id, start, data, { pid }))
  await change(handle, model, outcome, () => {
    if (data.length === 0) return
    if (handle.isAppender) file.append(data, world.now())
    else file.write(start, data, world.now())
  })
}

const stream = onHandle('stream', fc.tuple(fc.nat(12), size), async (handle, [times, length], model, world) => {
  if (!handle.isWriter) return
  for (let i = 0; i < times; i++)
    await writeTo(handle, handle.file.content.length, world.newBytes(length), model, world)
})

const read = onHandle('read', fc.tuple(offset, size), async ({ id, file, isReader }, [at, length], model, world) => {
  if (!isReader || file.isLost) return
  const got = await world.driver.on(world.h.read(id, at, length))
  expectRead(model, file, got, at, length)
})

/** The bytes, or ESTALE where others have changed the object. */
function expectRead(model: Reference, file: ReferenceFile, got: Outcome<Buffer>, at: number, length: number): void {
  if (
    'errno' in got &&
    got.errno !== 'EIO' &&
    (file.isUnlinked ? file.wasOutdated : model.isOutdated(file) || file.isRisky)
  ) {
    assert.equal(got.errno, 'ESTALE')
    return
  }
  const bytes = succeeds(got)
  assert(
    bytes.equals(file.content.subarray(at, at + length)),
    `read other bytes of ${file.path}: ${bytes.length} at ${at}`,
  )
}

const fsync = onHandle('fsync', fc.constant(''), async ({ id, file, pid }, _, model, { h, driver }) => {
  expectStored(model, file, await driver.on(h.filesystem.fsync(id, h.context({ pid }))))
})

/** One of several descriptors of an open file is closed. */
const flush = onHandle('flush', fc.boolean(), async (handle, isHeld, model, { h, driver }) => {
  const { id, file, pid, isWriter } = handle
  if (isHeld) h.holders.add(pid)
  const outcome = await driver.on(h.filesystem.flush(id, h.context({ pid })))
  h.holders.delete(pid)
  if (isHeld || !isWriter) succeeds(outcome)
  else expectStored(model, file, outcome)
})

const close = onHandle('close', fc.constant(''), (handle, _, model, world) => closeHandle(handle, model, world))

export async function closeHandle(handle: OpenHandle, model: Reference, world: World): Promise<void> {
  const { id, file, pid, isWriter } = handle
  const { h, driver, handles } = world
  const outcome = await driver.on(h.filesystem.flush(id, h.context({ pid })))
  const isStored = isWriter ? expectStored(model, file, outcome) : 'value' in outcome
  assert(isWriter || isStored)
  await h.filesystem.release(id)
  handles.splice(handles.indexOf(handle), 1)
  file.handles -= 1
  if (!isWriter) return
  file.writers -= 1
  if (!isStored && file.writers === 0) model.giveUp(file)
}

/** The program is killed with the file open: nothing of it is published, unless others have it open, too. */
const kill = onHandle('kill', fc.constantFrom(9, 15), async (handle, signal, model, world) => {
  const { id, file, pid, isWriter, isAppender } = handle
  if (!isWriter || isAppender || !file.isContentDirty) return closeHandle(handle, model, world)
  const { h, driver, handles } = world
  h.killed.set(pid, signal)
  succeeds(await driver.on(h.filesystem.flush(id, h.context({ pid }))))
  await h.filesystem.release(id)
  h.killed.delete(pid)
  handles.splice(handles.indexOf(handle), 1)
  file.handles -= 1
  file.writers -= 1
  if (file.writers > 0) return
  // Who was killed before a byte was written has left nothing.
  if (file.content.length === 0) file.isWritten = false
  model.giveUp(file)
})

const allocate = onHandle(
  'allocate',
  fc.tuple(
    fc.constantFrom('allocate' as const, 'punch' as const, 'zero' as const),
    fc.boolean(),
    offset,
    fc.integer({ min: 1, max: 3000 }),
  ),
  async (handle, [kind, isKeeping, at, length], model, world) => {
    if (!handle.isWriter) return
    const { file, id, pid } = handle
    const keepSize = isKeeping || kind === 'punch'
    const { h, driver } = world
    const outcome = await driver.on(h.filesystem.allocate(id, at, length, { kind, keepSize }, h.context({ pid })))
    await change(handle, model, outcome, () => {
      const before = file.content.length
      const isCleared = kind !== 'allocate' && at < before
      if (isCleared) file.zero(at, Math.min(at + length, before), world.now())
      if (!keepSize && at + length > before) file.truncate(at + length, world.now())
      else if (!isCleared) file.kept = { ...file.kept, mtimes: [...file.kept.mtimes, world.now()] }
    })
  },
)

/** Holes may be told of or not, but there must be no data in one. */
const seek = onHandle('seek', offset, async ({ id, file }, at, _model, { h, driver }) => {
  if (file.isLost) return
  const { content } = file
  const data = await driver.on(h.filesystem.seek(id, at, 'data'))
  const hole = await driver.on(h.filesystem.seek(id, at, 'hole'))
  if (at >= content.length) return void (failsWith(data, 'ENXIO') && failsWith(hole, 'ENXIO'))
  const from = 'errno' in data ? content.length : data.value
  if ('errno' in data) assert.equal(data.errno, 'ENXIO')
  assert(from >= at && content.subarray(at, from).every(byte => byte === 0), 'data in a hole')
  const end = succeeds(hole)
  assert(end >= at && end <= content.length, 'a hole behind the end')
  assert(from === at || end === at, 'neither data nor a hole')
})

const copyRange = fc.tuple(pick, pick, offset, offset, fc.integer({ min: 1, max: 6000 })).map(
  ([from, to, fromAt, toAt, length]) =>
    new Command(`copy ${length} from ${fromAt} of handle ${from} to ${toAt} of handle ${to}`, async (model, world) => {
      const { handles, h, driver } = world
      const source = handles[from % Math.max(1, handles.length)]
      const target = handles[to % Math.max(1, handles.length)]
      if (source?.isReader !== true || target?.isWriter !== true || target.isAppender || source.file.isLost) return
      const isApart = source.file !== target.file || fromAt + length <= toAt || toAt + length <= fromAt
      // A source that others changed may have lost some of its bytes.
      if (!isApart || model.isOutdated(source.file) || source.file.isRisky) return
      const bytes = Buffer.from(source.file.content.subarray(fromAt, fromAt + length))
      const context = h.context({ pid: target.pid })
      const outcome = await driver.on(h.filesystem.copyFileRange(source.id, fromAt, target.id, toAt, length, context))
      await change(target, model, outcome, () => {
        if (bytes.length === 0) return
        const borrowed = [source.file.path, ...source.file.borrowed]
        target.file.write(toAt, bytes, world.now())
        for (const at of borrowed) target.file.borrowed.add(at)
      })
      if ('value' in outcome) assert.equal(outcome.value, bytes.length)
    }),
)

export const FILE_COMMANDS = [
  opens('open', false),
  opens('open', false),
  opens('create', true),
  opens('create', true),
  write,
  write,
  stream,
  read,
  read,
  fsync,
  flush,
  close,
  close,
  kill,
  allocate,
  seek,
  copyRange,
]

/** Those that leave everything as it was where they fail. */
export const UNDOABLE_FILE_COMMANDS = [read, fsync, flush]
