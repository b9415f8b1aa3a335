import { element, XML_HEADER } from './xml.js'

/** An answer of S3 that is an error: code and message as the "Error responses" of the S3 API Reference have them. */
export class S3Error extends Error {
  override readonly name = 'S3Error'
  readonly status: number
  readonly code: string
  /** Further elements of the body, and headers. */
  readonly elements: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: string,
    message: string,
    elements: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.status = status
    this.code = code
    this.elements = elements
    this.headers = headers
  }

  toXml(): string {
    return XML_HEADER + element('Error', { Code: this.code, Message: this.message, ...this.elements, RequestId: '0' })
  }
}

export const noSuchKey = () => new S3Error(404, 'NoSuchKey', 'The specified key does not exist.')
export const noSuchUpload = () => new S3Error(404, 'NoSuchUpload', 'The specified upload does not exist.')
export const preconditionFailed = () =>
  new S3Error(412, 'PreconditionFailed', 'At least one of the preconditions you specified did not hold.')
export const invalidArgument = (message: string) => new S3Error(400, 'InvalidArgument', message)
export const malformedXml = () => new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed.')
export const accessDenied = () => new S3Error(403, 'AccessDenied', 'Access Denied')
export const notImplemented = (what: string) => new S3Error(501, 'NotImplemented', `${what} is not implemented.`)
