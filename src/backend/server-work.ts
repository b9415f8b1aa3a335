/** Slower than any store copies within itself: what needs longer than this has failed. */
const MIN_BYTES_PER_SECOND = 10 * 1024 ** 2

/** How long a server that copies or joins so many bytes by itself may be silent, beside what a call may take anyway. */
export function serverWorkMs(sizeBytes: number): number {
  return (sizeBytes / MIN_BYTES_PER_SECOND) * 1000
}
