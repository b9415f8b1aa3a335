import { type Document, isMap, isScalar, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml'
import type { Fault } from './fault.js'
import { perhaps } from './nearest.js'
import { isInFile, OPTION_NAMES, type OptionName } from './option-table.js'
import { isPythonKey, PYTHON_KEYS, valuesOfPythonModule } from './python-module.js'
import { collectOptions, type GivenValue, keysOf, type WrittenOption } from './source.js'

export type FileValues = ReadonlyMap<OptionName, GivenValue>

/** What a configuration file says for every mount, and what it says by profile. */
export interface ConfigFile {
  readonly path: string
  readonly values: FileValues
  readonly profiles: ReadonlyMap<string, FileValues>
}

/** Understands a file of `key: value` lines with profiles below `profiles: NAME:`. */
export function readConfigFile(path: string, text: string, faults: Fault[]): ConfigFile {
  return new FileReader(path, text, faults).read()
}

class FileReader {
  readonly #path: string
  readonly #faults: Fault[]
  readonly #lines = new LineCounter()
  readonly #document: Document.Parsed

  constructor(path: string, text: string, faults: Fault[]) {
    this.#path = path
    this.#faults = faults
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
  }

  read(): ConfigFile {
    for (const error of this.#document.errors) this.#fault(error.pos[0], 'YAML', error.message.replace(/\s+/g, ' '))
    const root = this.#document.contents
    const profiles = new Map<string, FileValues>()
    if (this.#document.errors.length > 0 || root === null) return { path: this.#path, values: new Map(), profiles }
    if (!isMap(root)) {
      this.#fault(startOf(root), 'lines of `key: value`', describe(root))
      return { path: this.#path, values: new Map(), profiles }
    }
    for (const [name, section] of this.#profileSections(root)) profiles.set(name, this.#allValues(section, []))
    return { path: this.#path, values: this.#allValues(root, ['profiles']), profiles }
  }

  #profileSections(root: YAMLMap): readonly (readonly [string, YAMLMap])[] {
    const node = root.get('profiles', true) as unknown
    if (node === undefined || (isScalar(node) && node.value === null)) return []
    if (!isMap(node)) {
      this.#fault(startOf(node), '`NAME:` with the options of that profile below', describe(node))
      return []
    }
    return node.items.flatMap(pair => {
      if (isMap(pair.value)) return [[textOf(pair.key) ?? '', pair.value] as const]
      if (!(isScalar(pair.value) && pair.value.value === null))
        this.#fault(startOf(pair.key), 'lines of `key: value` below the name of the profile', describe(pair.value))
      return []
    })
  }

  /** What a section of the Python module `s3` says counts behind what is said in words of ours. */
  #allValues(map: YAMLMap, besides: readonly string[]): FileValues {
    const section = map.get('s3', true) as unknown
    const values = this.#values(map, [...besides, 's3'])
    if (section === undefined) return values
    if (isMap(section)) return new Map([...this.#ofPythonModule(section), ...values])
    this.#fault(
      startOf(section),
      'access_key_id, secret_access_key, default_bucket, endpoint and tls',
      describe(section),
    )
    return values
  }

  #ofPythonModule(section: YAMLMap): FileValues {
    const texts = new Map<string, GivenValue>()
    for (const pair of section.items) {
      const key = textOf(pair.key) ?? ''
      const text = textOf(pair.value)
      const place = `${this.#at(startOf(pair.key))} s3: ${key}`
      if (!isPythonKey(key))
        this.#faults.push({
          place,
          expected: `a key of an s3: section${perhaps(key, PYTHON_KEYS)}`,
          found: JSON.stringify(key),
        })
      else if (text === undefined)
        this.#faults.push({ place, expected: `one value for ${key}`, found: describe(pair.value) })
      else texts.set(key, { text, place })
    }
    return valuesOfPythonModule(texts, this.#faults)
  }

  #values(map: YAMLMap, besides: readonly string[]): FileValues {
    const written = map.items.flatMap(pair => this.#written(pair, besides))
    return collectOptions(written, isInFile, keysOf(OPTION_NAMES.filter(isInFile)), this.#faults)
  }

  #written(pair: Pair, besides: readonly string[]): readonly WrittenOption[] {
    const key = textOf(pair.key) ?? ''
    if (besides.includes(key)) return []
    const text = textOf(pair.value)
    if (text !== undefined) return [{ written: key, text, place: `${this.#at(startOf(pair.key))} ${key}` }]
    this.#fault(startOf(pair.key), `one value for ${key}`, describe(pair.value))
    return []
  }

  #fault(offset: number, expected: string, found: string): void {
    this.#faults.push({ place: this.#at(offset), expected, found })
  }

  #at(offset: number): string {
    return `${this.#path}:${this.#lines.linePos(offset).line}`
  }
}

/** The text of a scalar as it stands in the file, so that `0644` stays what was written. */
function textOf(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
}

function startOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0
}

function describe(node: unknown): string {
  if (isMap(node)) return 'a section'
  if (isScalar(node)) return node.value === null ? 'nothing' : JSON.stringify(node.value)
  return node === null || node === undefined ? 'nothing' : 'a list'
}
