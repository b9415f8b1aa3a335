import type { DatabaseSyncInstance, StatementSyncInstance } from '@photostructure/sqlite'
import { isStoreError, StoreError } from '../../backend/store-error.js'

export type Value = string | number | null

export type Row = Readonly<Record<string, unknown>>

/** How long one statement waits for another process's transaction; transactions are short. */
const BUSY_TIMEOUT_MS = 10_000

/** SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html). */
const CORRUPT = 11
const DAMAGED: ReadonlySet<number> = new Set([CORRUPT, 26])

/** So many prepared statements are kept for their next use. */
const MAX_STATEMENTS = 32

/**
 * One file of SQLite with FTS5, in this process. The engine's API is that of node:sqlite, which not every supported Node.js has.
 * Its failures are thrown as `indexError` makes them.
 */
export class Database {
  readonly #connection: DatabaseSyncInstance
  /** By their text, the least recently used first. */
  readonly #statements = new Map<string, StatementSyncInstance>()

  private constructor(connection: DatabaseSyncInstance) {
    this.#connection = connection
  }

  /** Loads the engine at the first use. Rejects with `unsupported` where the package is not installed. */
  static async open(path: string): Promise<Database> {
    const { DatabaseSync } = await load()
    return guarded(() => new Database(new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })))
  }

  get isOpen(): boolean {
    return this.#connection.isOpen
  }

  /** Any number of statements, without values. */
  execute(sql: string): void {
    guarded(() => this.#connection.exec(sql))
  }

  all(sql: string, ...values: readonly Value[]): readonly Row[] {
    try {
      return this.#prepared(sql).all(...values) as readonly Row[]
    } catch (error) {
      throw resultCode(error) === undefined && this.#isMalformed() ? unusable(error, CORRUPT) : indexError(error)
    }
  }

  first(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.all(sql, ...values)[0]
  }

  /** The id of the last row that was inserted. */
  run(sql: string, ...values: readonly Value[]): number {
    return guarded(() => Number(this.#prepared(sql).run(...values).lastInsertRowid))
  }

  /** All of it or nothing; other processes wait meanwhile. */
  transaction(step: () => void): void {
    this.execute('BEGIN IMMEDIATE')
    try {
      step()
      this.execute('COMMIT')
    } catch (error) {
      if (this.#connection.isTransaction) this.execute('ROLLBACK')
      throw error
    }
  }

  /**
   * Statements can't be given up by hand, and the engine really closes the file when the last of them is collected: the
   * log is therefore brought into the file here.
   */
  close(): void {
    if (!this.isOpen) return
    try {
      this.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch (error) {
      // A damaged file is as good closed as it is.
      if (!isDamage(error)) throw error
    } finally {
      this.#statements.clear()
      guarded(() => this.#connection.close())
    }
  }

  /** The engine's `all` does not tell the code of its failure. */
  #isMalformed(): boolean {
    try {
      const row = this.#connection.prepare('PRAGMA quick_check(1)').get()
      return row !== undefined && Object.values(row)[0] !== 'ok'
    } catch (error) {
      return isDamage(indexError(error))
    }
  }

  #prepared(sql: string): StatementSyncInstance {
    const statement = this.#statements.get(sql) ?? this.#connection.prepare(sql)
    this.#statements.delete(sql)
    this.#statements.set(sql, statement)
    const [oldest] = this.#statements.keys()
    if (this.#statements.size > MAX_STATEMENTS && oldest !== undefined) this.#statements.delete(oldest)
    return statement
  }
}

function guarded<T>(step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw indexError(error)
  }
}

async function load(): Promise<typeof import('@photostructure/sqlite')> {
  try {
    return await import('@photostructure/sqlite')
  } catch (error) {
    throw new StoreError(
      'unsupported',
      'search needs the package @photostructure/sqlite, which is not installed here',
      {
        cause: error,
        operation: 'search',
      },
    )
  }
}

/** True for an error of this module where the file is no longer (or never was) what the engine wrote. */
export function isDamage(error: unknown): boolean {
  const [, code] = (isStoreError(error) && /^SQLITE_(\d+)$/.exec(error.code ?? '')) || []
  return code !== undefined && DAMAGED.has(Number(code) & 0xff)
}

/** What the engine throws, as an error of the one family. Others are handed on as they are. */
function indexError(error: unknown): unknown {
  const code = resultCode(error)
  const isEngines = code !== undefined || /^ERR_(SQLITE_ERROR|INVALID_STATE)$/.test(String(codeOf(error)))
  return isEngines ? unusable(error, code) : error
}

function unusable(cause: unknown, code: number | undefined): StoreError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const details = { cause, operation: 'search', retryable: false }
  const message = `the search index can't be used: ${reason}`
  return new StoreError('unavailable', message, code === undefined ? details : { ...details, code: `SQLITE_${code}` })
}

function resultCode(error: unknown): number | undefined {
  const code = (error as { readonly errcode?: unknown } | undefined)?.errcode
  return typeof code === 'number' ? code : undefined
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | undefined)?.code
}
