import { createHash, createHmac } from 'node:crypto'

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export type Method = 'GET' | 'PUT'

/** A request, signed by Signature Version 4, as it goes over the wire. Good for 15 minutes, and as often as wanted. */
export function signedRequest(method: Method, url: URL, credentials: Credentials, nowMs: number, body = ''): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`
  const headers = [`host:${url.host}`, 'x-amz-content-sha256:UNSIGNED-PAYLOAD', `x-amz-date:${time}`]
  const names = 'host;x-amz-content-sha256;x-amz-date'
  const canonical = [method, url.pathname, '', ...headers, '', names, 'UNSIGNED-PAYLOAD'].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${credentials.secretAccessKey}`)
  const signature = createHmac('sha256', key).update(toSign).digest('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  const lines = [`${method} ${url.pathname} HTTP/1.1`, ...headers, `authorization:${authorization}`]
  if (method === 'PUT') lines.push(`content-length:${body.length}`)
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
