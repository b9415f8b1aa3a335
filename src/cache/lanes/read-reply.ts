/** Answers one read. A transport implements it; a lane calls it with views of its blocks, so that no byte is copied. */
export interface ReadReply {
  /**
   * Sends the bytes of `views`, in order, as the whole answer. The views stay unchanged until `release` is called,
   * which the reply does exactly once, when it needs them no longer (at once if it is synchronous).
   */
  send(views: readonly Uint8Array[], release: () => void): void
  /** Undefined: only this thread can answer. */
  readonly ticket?: ReadTicket | undefined
}

/** What code of the transport in another thread needs to answer in the place of `send`. */
export interface ReadTicket {
  /** By what it knows the read. */
  readonly unique: number
  /** It has answered. */
  answered(): void
}
