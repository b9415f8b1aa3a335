/** What is wrong where no system call says it; the codes of sockets stand beside these. */
export type HttpFault =
  /** No connection came about in time. */
  | 'ConnectTimeout'
  /** No byte moved for too long. */
  | 'TimeoutError'
  /** What came is no HTTP/1.1 reply, or not one that this client takes. */
  | 'BadHttp'
  /** The connection ended before the reply did. */
  | 'ECONNRESET'

/** Why an exchange failed, beside the errors of sockets, which are passed on as they are. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code: HttpFault

  constructor(code: HttpFault, message: string) {
    super(message)
    this.code = code
  }
}
