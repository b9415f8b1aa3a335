import type { Signal } from './call-signal.js'

/**
 * Threads that receive what stores send into memory which they share with this one. Requests, and what became of them,
 * are plain data that only the store and its program in the threads know.
 */
export interface FillingThreads {
  /** Has every thread load the program of the requests to come: a module that exports `openFiller` (FillerModule). */
  loadFiller(program: URL, settings: unknown): void
  /** Whether the threads can write to it. */
  share(memory: Uint8Array): boolean
  /**
   * Has a thread carry a request out. `onBytes` hears of further bytes at the front of `memory`, soon after they came and
   * of all before it resolves. Once it has settled nobody writes to the memory any more: soon after the signal fires.
   * Rejects with what the program threw, as `unavailable`, and so when the thread ended.
   */
  fill(request: unknown, memory: Uint8Array, onBytes: (bytes: number) => void, signal?: Signal): Promise<unknown>
}

/** What the module of a program exports. */
export interface FillerModule {
  /** Called once in each thread. */
  openFiller(settings: unknown): Filler
}

/** Carries requests out in its thread. */
export interface Filler {
  /** Resolves with plain data. */
  fill(request: unknown, sink: FillerSink, signal: AbortSignal): Promise<unknown>
}

/** The memory that a request is for, as `ReadSink`. */
export interface FillerSink {
  free(): Uint8Array
  advance(bytes: number): void
}
