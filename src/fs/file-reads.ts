import { ReadPattern } from './read-pattern.js'

/**
 * How a file is read through all its handles. The kernel's pages belong to the file: of several programs that read it side
 * by side, whoever comes to a place first asks for it, and the others find it there. So one handle tells any part of what
 * its program reads, and a stream is what all that follow it read together.
 */
export class FileReads {
  /** Those that handles follow. */
  readonly #followers = new Map<ReadPattern, number>()

  /** For a new handle. */
  open(): HandleReads {
    return new HandleReads(this)
  }

  /** The one that a read goes on with. */
  goneOnBy(offset: number, sizeBytes: number): ReadPattern | undefined {
    for (const pattern of this.#followers.keys()) if (pattern.isGoneOnBy(offset, sizeBytes)) return pattern
    return undefined
  }

  /** The one that counts on what was brought for a pattern which nobody follows any more; what is followed has none. */
  heirOf(left: ReadPattern): ReadPattern | undefined {
    if (this.#followers.has(left)) return undefined
    for (const pattern of this.#followers.keys()) if (pattern.isBeside(left)) return pattern
    return undefined
  }

  followersOf(pattern: ReadPattern): number {
    return this.#followers.get(pattern) ?? 0
  }

  follow(pattern: ReadPattern): void {
    this.#followers.set(pattern, this.followersOf(pattern) + 1)
  }

  /** True: nobody follows it any more. */
  leave(pattern: ReadPattern): boolean {
    const others = this.followersOf(pattern) - 1
    if (others > 0) this.#followers.set(pattern, others)
    else this.#followers.delete(pattern)
    return others <= 0
  }
}

/** How a file is read through one of its handles. */
export class HandleReads {
  readonly file: FileReads
  #pattern = new ReadPattern()

  constructor(file: FileReads) {
    this.file = file
    file.follow(this.#pattern)
  }

  /** What it follows. */
  get pattern(): ReadPattern {
    return this.#pattern
  }

  /** A read has come. Answers with what nobody follows any more by that: what was there so far, if it begins anew. */
  read(offset: number, sizeBytes: number, nowMs: number): ReadPattern | undefined {
    const before = this.#pattern
    if (before.isGoneOnBy(offset, sizeBytes)) {
      before.goOn(offset, sizeBytes, nowMs)
      return undefined
    }
    const other = this.file.goneOnBy(offset, sizeBytes)
    // Who reads here and there makes no new one for each.
    if (other === undefined && !before.isStream && this.file.followersOf(before) === 1) {
      before.begin(offset, sizeBytes, nowMs)
      return before
    }
    if (other === undefined) {
      this.#pattern = new ReadPattern()
      this.#pattern.begin(offset, sizeBytes, nowMs)
    } else {
      this.#pattern = other
      other.goOn(offset, sizeBytes, nowMs)
    }
    this.file.follow(this.#pattern)
    return this.file.leave(before) ? before : undefined
  }

  /** The handle is closed. Answers as `read`. */
  end(): ReadPattern | undefined {
    return this.file.leave(this.#pattern) ? this.#pattern : undefined
  }
}
