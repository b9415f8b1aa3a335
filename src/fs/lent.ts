/** Keeps certain bytes as they are until what it gives is called, once. */
export type Hold = () => () => void

/** Bytes in memory that others may use as long as they hold it. */
export interface Lent {
  readonly bytes: Uint8Array
  readonly hold: Hold
}
