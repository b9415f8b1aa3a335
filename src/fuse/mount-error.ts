/** Why a folder can't be mounted at, or a mount not be ended. */
export type MountErrorKind =
  | 'missing'
  | 'not-a-folder'
  | 'not-empty'
  | 'unreadable'
  | 'already-mounted'
  | 'inside-a-mount'
  | 'dead'
  | 'not-mounted'
  | 'not-ours'
  | 'busy'
  | 'failed'

/** The mount point, and not the store, stands in the way. The message says what to do. */
export class MountError extends Error {
  override readonly name = 'MountError'
  readonly kind: MountErrorKind

  constructor(kind: MountErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
