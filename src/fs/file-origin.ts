import type { ObjectVersion, WriteConditions } from '../backend/object-store.js'

/** What a file that is written is made from, and so what must hold of its name when it is published. */
export class FileOrigin {
  /** The version that is edited; undefined for a new file, and for one that is replaced whole. */
  version: ObjectVersion | undefined
  /** That there is nothing under the name: what must be so since a program asked for it, or what it was told. */
  #absence: 'exclusive' | 'believed' | undefined

  constructor(version: ObjectVersion | undefined) {
    this.version = version
  }

  get isExclusive(): boolean {
    return this.#absence === 'exclusive'
  }

  get conditions(): WriteConditions {
    if (this.version !== undefined) return { ifMatch: this.version.etag }
    return this.#absence === undefined ? {} : { ifNoneMatch: '*' }
  }

  /** A new file. What others make under its name meanwhile must not be lost, unless it is to be `replaced` whole. */
  create(absence: 'exclusive' | 'believed' | 'replaced'): void {
    this.#absence = absence === 'replaced' ? undefined : absence
  }

  /** Nothing is left of what it was made from, and the last writer wins; a file that must be new stays one. */
  emptied(): void {
    this.version = undefined
    if (this.#absence === 'believed') this.#absence = undefined
  }

  /** The name is another one, or another file's: that goes with the next commit. */
  renamed(replaces: boolean): void {
    if (replaces) this.#absence = undefined
    else if (this.isExclusive) this.#absence = 'believed'
  }

  /** The name leads to this version, from which the file is made. */
  is(version: ObjectVersion): void {
    this.version = version
    this.#absence = undefined
  }
}
