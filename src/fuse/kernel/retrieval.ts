interface Waiting {
  readonly unique: number
  /** Where the answer goes. */
  readonly memory: Uint8Array
  readonly answer: (gotBytes: number) => void
}

/** What the kernel is asked for of what it holds: one thing at a time. */
export class Retrieval {
  #waiting: Waiting | undefined
  #lastUnique = 0

  /** Undefined while another answer is waited for. */
  begin(memory: Uint8Array): { readonly unique: number; readonly answered: Promise<number> } | undefined {
    if (this.#waiting !== undefined) return undefined
    const unique = ++this.#lastUnique
    const answered = new Promise<number>(answer => {
      this.#waiting = { unique, memory, answer }
    })
    return { unique, answered }
  }

  /** The kernel holds these bytes. */
  end(unique: number, bytes: Uint8Array): void {
    if (this.#waiting?.unique !== unique) return
    const { memory, answer } = this.#waiting
    const held = bytes.subarray(0, memory.length)
    memory.set(held)
    this.#waiting = undefined
    answer(held.length)
  }

  /** There is no answer, or none any more. */
  giveUp(unique = this.#waiting?.unique): void {
    if (unique !== undefined) this.end(unique, new Uint8Array())
  }
}
