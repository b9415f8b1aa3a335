import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { assemble, assembleBucket } from './assemble.js'
import { type CheckedValue, checkValue } from './check.js'
import type { ConfigFile } from './config-file.js'
import type { BucketConfiguration, MountConfiguration } from './configuration.js'
import { type ChosenValues, settleContradictions } from './contradictions.js'
import type { Environment } from './environment.js'
import { ConfigurationError, type Fault } from './fault.js'
import { readMountOptions } from './mount-options.js'
import { perhaps } from './nearest.js'
import { findOption, OPTION_NAMES, OPTIONS, type OptionName, type OptionValues } from './option-table.js'
import { type Places, placesOf } from './paths.js'
import { collectOptions, type GivenValue, type Source } from './source.js'

/** What the command line says, as text. */
export interface CommandLine {
  readonly values: ReadonlyMap<OptionName, GivenValue>
  /** The lists behind each `-o`. */
  readonly mountOptions: readonly string[]
  /** What was wrong already when the arguments were read apart. */
  readonly faults: readonly Fault[]
}

const VARIABLE_PREFIX = 'MOUNT_BUCKET_'

/** Flag before environment before file before default. Rejects with a ConfigurationError that names every fault. */
export async function resolveMount(line: CommandLine, environment: Environment): Promise<MountConfiguration> {
  const faults = [...line.faults]
  const places = placesOf(environment)
  const { kernelOptions, values: mountOptions } = readMountOptions(line.mountOptions, faults)
  const chosen = await chooseAll([line.values, mountOptions], places, environment, faults)
  settleContradictions(chosen, faults)
  const values = checkAll(chosen, environment, faults)
  const configuration = assemble({ chosen, values, places, environment, kernelOptions }, faults)
  if (configuration === undefined || faults.length > 0) throw new ConfigurationError(faults)
  return configuration
}

/** The same for a store that is reached without a mount. */
export async function resolveBucket(line: CommandLine, environment: Environment): Promise<BucketConfiguration> {
  const faults = [...line.faults]
  const places = placesOf(environment)
  const chosen = await chooseAll([line.values], places, environment, faults)
  settleContradictions(chosen, faults)
  const values = checkAll(chosen, environment, faults)
  const configuration = assembleBucket({ chosen, values, places, environment }, faults)
  if (configuration === undefined || faults.length > 0) throw new ConfigurationError(faults)
  return configuration
}

/** Below which folder the state of mounts is kept, for commands that are about mounts; undefined: this user has none. */
export async function resolveStateRoot(line: CommandLine, environment: Environment): Promise<string | undefined> {
  const faults = [...line.faults]
  const places = placesOf(environment)
  const chosen = await chooseAll([line.values], places, environment, faults)
  if (faults.length > 0) throw new ConfigurationError(faults)
  const given = chosen.get('stateDir')
  return given === undefined ? places.stateRoot : resolve(environment.workingFolder, given.text)
}

/** Where disk caches are, for commands that are about them. Rejects with a ConfigurationError where nothing says it. */
export async function resolveCacheDir(line: CommandLine, environment: Environment): Promise<string> {
  const faults = [...line.faults]
  const chosen = await chooseAll([line.values], placesOf(environment), environment, faults)
  const given = chosen.get('cacheDir')
  if (given === undefined) faults.push({ place: '--cache-dir', expected: 'the folder of a disk cache', found: 'none' })
  if (given === undefined || faults.length > 0) throw new ConfigurationError(faults)
  return resolve(environment.workingFolder, given.text)
}

async function chooseAll(
  commandLine: readonly ReadonlyMap<OptionName, GivenValue>[],
  places: Places,
  environment: Environment,
  faults: Fault[],
): Promise<ChosenValues> {
  const near: readonly Source[] = [
    ...commandLine.map(values => ({ level: 'command line', values }) as const),
    { level: 'environment', values: environmentValues(environment, faults) },
  ]
  const files = await readFiles(choose(near), places, environment, faults)
  return choose([...near, ...fileSources(files, choose(near), faults)])
}

/** Variables under our prefix that are no options may belong to others (service links of Kubernetes do). */
function environmentValues(environment: Environment, faults: Fault[]): ReadonlyMap<OptionName, GivenValue> {
  const written = Object.entries(environment.variables).flatMap(([variable, text]) => {
    const name = variable.startsWith(VARIABLE_PREFIX) ? variable.slice(VARIABLE_PREFIX.length).toLowerCase() : ''
    return text && findOption(name) !== undefined ? [{ written: name, text, place: variable }] : []
  })
  return collectOptions(written, () => true, [], faults)
}

async function readFiles(
  near: ChosenValues,
  places: Places,
  environment: Environment,
  faults: Fault[],
): Promise<readonly ConfigFile[]> {
  const only = near.get('config')
  const paths = only === undefined ? places.configFiles : [resolve(environment.workingFolder, only.text)]
  const files: ConfigFile[] = []
  for (const path of paths) {
    const found = readText(path, only !== undefined, faults)
    if (found === undefined) continue
    // The YAML reader takes longer to load than all else here, and most mounts have no file.
    const { readConfigFile } = await import('./config-file.js')
    const file = readConfigFile(path, found.text, faults)
    if (isReadableByOthers(found.mode) && !isOn(near.get('insecureConfig')) && holdsSecrets(file))
      faults.push({
        place: path,
        expected: 'a file with keys that its owner alone may read (chmod 600), or --insecure-config',
        found: `mode 0${(found.mode & 0o777).toString(8)}`,
      })
    files.push(file)
  }
  return files
}

function isReadableByOthers(mode: number): boolean {
  return (mode & 0o077) !== 0
}

function isOn(given: GivenValue | undefined): boolean {
  return given !== undefined && /^(true|yes|on|1)$/i.test(given.text)
}

function holdsSecrets({ values, profiles }: ConfigFile): boolean {
  return [values, ...profiles.values()].some(each => each.has('secretAccessKey') || each.has('sessionToken'))
}

interface FoundText {
  readonly text: string
  readonly mode: number
}

/** Text and mode of one and the same file. */
function readText(path: string, mustExist: boolean, faults: Fault[]): FoundText | undefined {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, 'r')
    return { mode: fstatSync(descriptor).mode, text: readFileSync(descriptor, 'utf8') }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (mustExist || (code !== 'ENOENT' && code !== 'ENOTDIR'))
      faults.push({ place: path, expected: 'a readable configuration file', found: code })
    return undefined
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** The chosen profile of every file, then what the files say for all mounts. */
function fileSources(files: readonly ConfigFile[], near: ChosenValues, faults: Fault[]): readonly Source[] {
  const general = files.map(file => file.values)
  const use = near.get('use') ?? general.find(values => values.has('use'))?.get('use')
  const profiles = use === undefined ? [] : files.flatMap(file => file.profiles.get(use.text) ?? [])
  if (use !== undefined && profiles.length === 0) {
    const names = files.flatMap(file => [...file.profiles.keys()])
    const where = files.length === 0 ? 'a configuration file' : files.map(file => file.path).join(' or ')
    faults.push({
      place: use.place,
      expected: `a profile of ${where}${perhaps(use.text, names)}`,
      found: JSON.stringify(use.text),
    })
  }
  return [
    ...profiles.map(values => ({ level: 'profile', values }) as const),
    ...general.map(values => ({ level: 'file', values }) as const),
  ]
}

/** Secrets are not repeated in messages. */
function shown(name: OptionName, text: string): string {
  return OPTIONS[name].isSecret ? 'something else' : JSON.stringify(text)
}

/** Of every option the nearest source's text. */
function choose(sources: readonly Source[]): ChosenValues {
  const chosen: ChosenValues = new Map()
  for (const { level, values } of sources)
    for (const [name, value] of values) if (!chosen.has(name)) chosen.set(name, { ...value, level })
  return chosen
}

function checkAll(chosen: ChosenValues, environment: Environment, faults: Fault[]): OptionValues {
  const values: Partial<Record<OptionName, CheckedValue>> = {}
  for (const name of OPTION_NAMES) {
    const given = chosen.get(name)
    const text = given?.text ?? OPTIONS[name].default
    if (text === undefined) continue
    const result = checkValue(OPTIONS[name].value, text, environment.workingFolder)
    if (result.ok) values[name] = result.value
    else faults.push({ place: given?.place ?? name, expected: result.expected, found: shown(name, text) })
  }
  // Holds once there are no faults: each value went through the check of its own row.
  return values as OptionValues
}
