import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { Driver, type Outcome } from '../support/filesystem-driver.js'
import { Harness, type HarnessOptions } from '../support/filesystem-harness.js'
import { type ReferenceFile, ReferenceFiles } from '../support/reference-files.js'

const KIB = 1024
const PATHS = ['a', 'b', 'd/a', 'd/b', 'd/e/a'] as const
const FOLDERS = ['d', 'd/e', 'a'] as const

interface OpenHandle {
  readonly id: number
  readonly file: ReferenceFile
  readonly isWriter: boolean
  readonly isAppender: boolean
}

interface Real {
  readonly h: Harness
  readonly driver: Driver
  readonly handles: OpenHandle[]
}

type Step = (model: ReferenceFiles, real: Real) => Promise<void>

/** One command. Names and arguments show in a counterexample. */
class Command implements fc.AsyncCommand<ReferenceFiles, Real> {
  readonly #text: string
  readonly #step: Step

  constructor(text: string, step: Step) {
    this.#text = text
    this.#step = step
  }

  check(): boolean {
    return true
  }

  async run(model: ReferenceFiles, real: Real): Promise<void> {
    await this.#step(model, real)
    expect(await bucketOf(real.h), 'what the bucket holds').toEqual(textOf(model.bucket))
  }

  toString(): string {
    return this.#text
  }
}

function succeeds<T>(outcome: Outcome<T>): T {
  if ('errno' in outcome) throw new Error(`unexpected ${outcome.errno}`)
  return outcome.value
}

/** True if the call has to fail, after having seen that it did. */
function failsWith(outcome: Outcome<unknown>, errno: string | undefined): boolean {
  if (errno !== undefined) expect(outcome).toEqual({ errno })
  return errno !== undefined
}

function textOf(bucket: ReadonlyMap<string, Buffer>): Record<string, string> {
  return Object.fromEntries([...bucket].map(([key, bytes]) => [key, bytes.toString('latin1')]))
}

async function bucketOf(h: Harness): Promise<Record<string, string>> {
  const { objects } = await h.store.list()
  const entries = await Promise.all(objects.map(async ({ key }) => [key, (await h.stored(key)) ?? ''] as const))
  return Object.fromEntries(entries)
}

/** Bytes that tell which write they are of. */
function bytesFor(seed: number, sizeBytes: number): Buffer {
  return Buffer.from(Array.from({ length: sizeBytes }, (_, i) => 1 + ((seed * 41 + i * 7 + (i >> 8)) % 255)))
}

const path = fc.constantFrom(...PATHS)
const folder = fc.constantFrom(...FOLDERS)
const pick = fc.nat(7)
const size = fc.oneof(fc.nat(30), fc.nat(7 * KIB))
const offset = fc.oneof(fc.constant(0), fc.nat(64), fc.nat(20 * KIB))

function opens(name: string, isCreating: boolean) {
  const flags = fc.record({
    write: fc.boolean(),
    append: fc.boolean(),
    truncate: fc.boolean(),
    exclusive: isCreating ? fc.boolean() : fc.constant(false),
  })
  return fc.tuple(path, flags).map(([at, drawn]) => {
    const write = drawn.write || drawn.append || drawn.truncate || isCreating
    const given = { ...drawn, write }
    return new Command(`${name} ${at} ${JSON.stringify(given)}`, async (model, { driver, handles }) => {
      const opened = await (isCreating ? driver.create(at, given) : driver.open(at, given))
      const found = model.files.get(at)
      if (failsWith(opened, model.parentFault(at))) return
      const isFolder = model.folders.has(at)
      if ((found !== undefined || isFolder) && given.exclusive) return void failsWith(opened, 'EEXIST')
      if (failsWith(opened, isFolder ? 'EISDIR' : undefined)) return
      if (found === undefined && !isCreating) return void failsWith(opened, 'ENOENT')
      const file = found ?? model.create(at)
      if (given.truncate) model.truncate(file, 0)
      if (write) file.writers += 1
      handles.push({ id: succeeds(opened), file, isWriter: write, isAppender: given.append })
    })
  })
}

/** A command on one of the open handles. */
function onHandle<T>(
  name: string,
  drawn: fc.Arbitrary<T>,
  step: (handle: OpenHandle, value: T, model: ReferenceFiles, real: Real) => Promise<void>,
) {
  return fc.tuple(pick, drawn).map(
    ([index, value]) =>
      new Command(`${name} handle ${index} ${JSON.stringify(value)}`, async (model, real) => {
        const handle = real.handles[index % Math.max(1, real.handles.length)]
        if (handle !== undefined) await step(handle, value, model, real)
      }),
  )
}

const write = onHandle('write', fc.tuple(offset, size, pick), async (handle, [at, length, seed], model, { h }) => {
  if (!handle.isWriter) return
  const data = bytesFor(seed, length)
  const start = handle.isAppender ? handle.file.content.length : at
  expect(await h.write(handle.id, start, data)).toBe(length)
  if (length > 0) model.write(handle.file, start, data)
})

const stream = onHandle(
  'stream',
  fc.tuple(fc.nat(12), size, pick),
  async (handle, [times, length, seed], model, { h }) => {
    if (!handle.isWriter) return
    for (let i = 0; i < times; i++) {
      const start = handle.file.content.length
      const data = bytesFor(seed + i, length)
      await h.write(handle.id, start, data)
      if (length > 0) model.write(handle.file, start, data)
    }
  },
)

const read = onHandle('read', fc.tuple(offset, size), async ({ id, file }, [at, length], _model, { h, driver }) => {
  const got = await driver.on(h.read(id, at, length))
  // Of a removed file that was not read before, the bytes are gone.
  if (file.isUnlinked && 'errno' in got) return expect(got.errno).toBe('ESTALE')
  expect(succeeds(got).toString('latin1')).toBe(file.content.subarray(at, at + length).toString('latin1'))
})

const fsync = onHandle('fsync', fc.constant(''), async ({ id, file }, _, model, { h, driver }) => {
  succeeds(await driver.on(h.filesystem.fsync(id, h.context())))
  if (file.writers > 0) model.commit(file)
})

const close = onHandle('close', fc.constant(''), (handle, _, model, real) => closeHandle(handle, model, real))

async function closeHandle(handle: OpenHandle, model: ReferenceFiles, { h, handles }: Real): Promise<void> {
  await h.closeFile(handle.id)
  handles.splice(handles.indexOf(handle), 1)
  if (!handle.isWriter) return
  model.commit(handle.file)
  handle.file.writers -= 1
}

const truncate = fc.tuple(path, offset).map(
  ([at, sizeBytes]) =>
    new Command(`truncate ${at} to ${sizeBytes}`, async (model, { driver }) => {
      const done = await driver.truncate(at, sizeBytes)
      if (failsWith(done, model.parentFault(at))) return
      const file = model.files.get(at)
      if (file === undefined) return void failsWith(done, model.folders.has(at) ? 'EISDIR' : 'ENOENT')
      expect(succeeds(done)).toBe(sizeBytes)
      model.truncate(file, sizeBytes)
      // With a writer it joins that one's commit.
      if (file.writers === 0) model.commit(file)
    }),
)

const chmod = fc.tuple(path, fc.constantFrom(0o600, 0o644)).map(
  ([at, mode]) =>
    new Command(`chmod ${at} ${mode.toString(8)}`, async (model, { driver }) => {
      const done = await driver.truncate(at, 0, mode)
      if (failsWith(done, model.parentFault(at))) return
      if (failsWith(done, model.files.has(at) || model.folders.has(at) ? undefined : 'ENOENT')) return
      const file = model.files.get(at)
      if (file !== undefined) expect(succeeds(done)).toBe(file.content.length)
    }),
)

const unlink = path.map(
  at =>
    new Command(`unlink ${at}`, async (model, { driver }) => {
      const done = await driver.remove(at, 'unlink')
      if (failsWith(done, model.parentFault(at))) return
      if (failsWith(done, model.folders.has(at) ? 'EISDIR' : model.files.has(at) ? undefined : 'ENOENT')) return
      succeeds(done)
      model.unlink(at)
    }),
)

const name = fc.oneof(path, folder)

const rename = fc.tuple(name, name, fc.boolean()).map(
  ([from, to, noReplace]) =>
    new Command(`rename ${from} to ${to}${noReplace ? ' NOREPLACE' : ''}`, async (model, { driver }) => {
      // The other commands take these for folders, or for nothing.
      if (model.files.has(from) && !PATHS.some(at => at === to)) return
      const done = await driver.rename(from, to, noReplace)
      if (failsWith(done, model.parentFault(from) ?? model.parentFault(to))) return
      if (failsWith(done, model.files.has(from) || model.folders.has(from) ? undefined : 'ENOENT')) return
      const isThere = model.files.has(to) || model.folders.has(to)
      if (failsWith(done, noReplace && isThere && from !== to ? 'EEXIST' : undefined)) return
      if (model.folders.has(from)) {
        if (failsWith(done, model.renameFolderFault(from, to))) return
        succeeds(done)
        return model.renameFolder(from, to)
      }
      if (failsWith(done, model.folders.has(to) ? 'EISDIR' : undefined)) return
      succeeds(done)
      model.rename(from, to)
    }),
)

const mkdir = folder.map(
  at =>
    new Command(`mkdir ${at}`, async (model, { driver }) => {
      const done = await driver.mkdir(at)
      if (failsWith(done, model.parentFault(at))) return
      if (failsWith(done, model.folders.has(at) || model.files.has(at) ? 'EEXIST' : undefined)) return
      succeeds(done)
      model.mkdir(at)
    }),
)

const rmdir = folder.map(
  at =>
    new Command(`rmdir ${at}`, async (model, { driver }) => {
      const done = await driver.remove(at, 'rmdir')
      if (failsWith(done, model.parentFault(at))) return
      if (failsWith(done, model.files.has(at) ? 'ENOTDIR' : model.folders.has(at) ? undefined : 'ENOENT')) return
      if (failsWith(done, model.names(at).length > 0 ? 'ENOTEMPTY' : undefined)) return
      succeeds(done)
      model.rmdir(at)
    }),
)

const list = fc.tuple(fc.constantFrom('', 'd', 'd/e'), fc.boolean()).map(
  ([at, withAttributes]) =>
    new Command(`list ${at}/${withAttributes ? ' with attributes' : ''}`, async (model, { driver }) => {
      const names = await driver.list(at, withAttributes)
      if (failsWith(names, model.folders.has(at) ? undefined : 'ENOENT')) return
      expect([...succeeds(names)].sort()).toEqual(model.names(at))
    }),
)

const stat = path.map(
  at =>
    new Command(`stat ${at}`, async (model, { driver }) => {
      const entry = await driver.stat(at)
      if (failsWith(entry, model.parentFault(at))) return
      if (failsWith(entry, model.files.has(at) || model.folders.has(at) ? undefined : 'ENOENT')) return
      const file = model.files.get(at)
      if (file !== undefined) expect(succeeds(entry).attributes.sizeBytes).toBe(file.content.length)
    }),
)

const wait = fc.constant(
  new Command('wait for the TTL to pass', async (_model, { h }) => {
    h.nowMs += 11_000
  }),
)

const COMMANDS = [
  opens('open', false),
  opens('create', true),
  opens('create', true),
  write,
  write,
  stream,
  read,
  fsync,
  close,
  truncate,
  chmod,
  unlink,
  rename,
  rename,
  mkdir,
  rmdir,
  list,
  stat,
  wait,
]

let buckets = 0

it('is a file system, and its bucket holds what was stored and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.commands(COMMANDS, { size: '+1' }),
      fc.constantFrom(0, 10_000),
      async (commands, metadataTtlMs) => {
        buckets += 1
        const store = openMemoryStore(`model-${buckets}`, { minPartBytes: 1 })
        const options: HarnessOptions = { store, metadataTtlMs, partSizeBytes: 4 * KIB, writeMemoryBytes: 64 * KIB }
        const h = await Harness.open(options)
        try {
          const model = new ReferenceFiles()
          const real: Real = { h, driver: new Driver(h), handles: [] }
          await fc.asyncModelRun(() => ({ model, real }), commands)
          for (const handle of [...real.handles]) await closeHandle(handle, model, real)
          expect(await bucketOf(h)).toEqual(textOf(model.bucket))
          await expectTidy(h)
          await expectRemountShows(model, options)
        } finally {
          await h.close()
        }
      },
    ),
    { numRuns: 300 },
  )
}, 60_000)

async function expectTidy(h: Harness): Promise<void> {
  for (const name of ['staging', 'kept', 'uploads']) expect(await readdir(join(h.folder, name)), name).toEqual([])
  expect(await h.store.listUploads()).toEqual([])
}

async function expectRemountShows(model: ReferenceFiles, options: HarnessOptions): Promise<void> {
  const again = await Harness.open(options)
  try {
    for (const at of model.folders) expect([...(await again.list(at))].sort()).toEqual(model.names(at))
    for (const [at, { content }] of model.files) expect((await again.readFile(at)).equals(content)).toBe(true)
  } finally {
    await again.close()
  }
}
