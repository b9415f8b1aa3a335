import { writevSync } from 'node:fs'

/** The kernel takes 1,024 pieces in one write (IOV_MAX), and an answer must be one write. */
const MAX_PIECES = 1000

/** Writes one answer; any thread may. Throws what the kernel says. */
export function writeAnswer(descriptor: number, pieces: readonly Uint8Array[]): void {
  writevSync(descriptor, pieces.length > MAX_PIECES ? [Buffer.concat(pieces)] : pieces)
}

/**
 * The errno's name of an answer that failed and should not have. ENOENT: nobody waits for it any more (the connection was
 * cut off). ENODEV, ECONNABORTED: the mount is gone.
 */
export function unexpectedErrno(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException).code ?? String(error)
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ECONNABORTED' ? undefined : code
}
