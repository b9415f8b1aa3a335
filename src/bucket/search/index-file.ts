import type { ObjectVersion } from '../../backend/object-store.js'
import type { Document, IndexedVersion } from './document.js'
import { Database, type Row } from './engine.js'

/** The version of the format below; a file of another one is made anew. */
const FORMAT = 1

/**
 * `objects` has a row for each key, in the order of listings (BINARY compares UTF-8 bytes); `metadata` one for each
 * name, `number` where the value is one; `words` is what is searched in, with the object's id as rowid.
 */
const SCHEMA = `
  CREATE TABLE objects (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, etag TEXT NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL,
    type TEXT, metadata TEXT NOT NULL, textBytes INTEGER, indexed REAL NOT NULL
  );
  CREATE TABLE metadata (
    name TEXT NOT NULL, object INTEGER NOT NULL, value TEXT NOT NULL, number REAL, PRIMARY KEY (name, object)
  ) WITHOUT ROWID;
  CREATE INDEX metadataOfObject ON metadata (object);
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE VIRTUAL TABLE words USING fts5 (key, metadata, text, tokenize = "unicode61 remove_diacritics 2");
  PRAGMA user_version = ${FORMAT};
`

/** Marks around found words in what the engine hands out; they are taken out of all that goes in. */
export const MARK_BEGIN = '\u0002'
export const MARK_END = '\u0003'

/**
 * The index of one bucket in one file (SQLite 3, write-ahead log). Every change is one short transaction: a process that is killed
 * leaves the file as the last one left it. Throws what the engine throws.
 */
export class IndexFile {
  readonly #database: Database

  private constructor(database: Database) {
    this.#database = database
  }

  /** Opens the file, and makes it where it is missing, of another format or of another bucket (`source`). */
  static async open(path: string, source: string): Promise<IndexFile> {
    const database = await Database.open(path)
    const file = new IndexFile(database)
    try {
      database.execute('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
      database.transaction(() => file.#prepare(source))
      return file
    } catch (error) {
      file.close()
      throw error
    }
  }

  #prepare(source: string): void {
    if (this.#database.first('PRAGMA user_version')?.user_version === FORMAT && this.#fact('source') === source) return
    const tables = this.#database.all(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'words_*' AND name NOT GLOB 'sqlite_*'`,
    )
    for (const table of tables) this.#database.execute(`DROP TABLE "${String(table.name).replaceAll('"', '""')}"`)
    this.#database.execute(SCHEMA)
    this.#setFact('source', source)
  }

  get isOpen(): boolean {
    return this.#database.isOpen
  }

  close(): void {
    this.#database.close()
  }

  /** When the last update that went through was begun; undefined: none has. */
  get updatedMs(): number | undefined {
    const value = this.#fact('updatedMs')
    return value === undefined ? undefined : Number(value)
  }

  set updatedMs(value: number) {
    this.#database.transaction(() => this.#setFact('updatedMs', String(value)))
  }

  get count(): number {
    return Number(this.rows('SELECT count(*) AS count FROM objects', [])[0]?.count ?? 0)
  }

  /** What is known of the keys behind `after`, up to and with `last`, in key order. */
  versions(after: string, last: string | undefined, limit: number): readonly IndexedVersion[] {
    const end = last === undefined ? '' : 'AND key <= ?'
    const sql = `SELECT key, etag, size, modified, textBytes, indexed FROM objects WHERE key > ? ${end} ORDER BY key LIMIT ?`
    return this.rows(sql, [after, ...(last === undefined ? [] : [last]), limit]).map(row => ({
      key: String(row.key),
      etag: String(row.etag),
      sizeBytes: Number(row.size),
      lastModifiedMs: Number(row.modified),
      textBytes: row.textBytes === null ? undefined : Number(row.textBytes),
      indexedMs: Number(row.indexed),
    }))
  }

  /** All of them in one transaction. */
  put(documents: readonly Document[]): void {
    this.#database.transaction(() => {
      for (const document of documents) this.#put(document)
    })
  }

  remove(keys: readonly Pick<ObjectVersion, 'key'>[]): void {
    this.#database.transaction(() => {
      for (const { key } of keys) this.#remove(key)
    })
  }

  rows(sql: string, values: readonly (string | number)[]): readonly Row[] {
    return this.#database.all(sql, ...values)
  }

  #put(document: Document): void {
    this.#remove(document.key)
    const { key, etag, sizeBytes, lastModifiedMs, contentType = null, metadata, textBytes = null, indexedMs } = document
    const columns = 'key, etag, size, modified, type, metadata, textBytes, indexed'
    const id = this.#database.run(
      `INSERT INTO objects (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[key, etag, sizeBytes, lastModifiedMs, contentType, JSON.stringify(metadata), textBytes, indexedMs],
    )
    const insert = 'INSERT INTO metadata (name, object, value, number) VALUES (?, ?, ?, ?)'
    for (const [name, value] of Object.entries(metadata))
      this.#database.run(insert, name, id, value, numberOf(value) ?? null)
    const lines = Object.entries(metadata).map(([name, value]) => `${name}: ${value}`)
    const found = [unmarked(key), unmarked(lines.join('\n')), unmarked(document.text)]
    this.#database.run('INSERT INTO words (rowid, key, metadata, text) VALUES (?, ?, ?, ?)', id, ...found)
  }

  #remove(key: string): void {
    const id = this.#database.first('SELECT id FROM objects WHERE key = ?', key)?.id
    if (typeof id !== 'number') return
    for (const table of ['words WHERE rowid', 'metadata WHERE object', 'objects WHERE id'])
      this.#database.run(`DELETE FROM ${table} = ?`, id)
  }

  #fact(name: string): string | undefined {
    const row = this.#database.first('SELECT value FROM facts WHERE name = ?', name)
    return row === undefined ? undefined : String(row.value)
  }

  #setFact(name: string, value: string): void {
    this.#database.run('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)', name, value)
  }
}

/** The number that a whole value is, as `3`, `-0.5` or `1e6`. */
export function numberOf(value: string): number | undefined {
  if (!/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value)) return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}

function unmarked(text: string): string {
  return text.replaceAll(MARK_BEGIN, ' ').replaceAll(MARK_END, ' ')
}
