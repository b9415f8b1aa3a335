import { Connection } from './connection.js'
import { type Credentials, type Method, signedRequest } from './signed-request.js'

export interface Load {
  readonly url: string
  readonly credentials: Credentials
  readonly connections: number
  /** How many requests in all. */
  readonly requests: number
  /** The object is asked for in ranges of this length, one after the other; undefined: whole, each time. */
  readonly rangeBytes?: number
  /** It is stored anew each time, with so many bytes. */
  readonly putBytes?: number
}

export interface LoadFigures {
  readonly seconds: number
  readonly bytes: number
}

/** Asks for an object over and over, or stores it, by signed requests over many connections. */
export async function runLoad(load: Load): Promise<LoadFigures> {
  const url = new URL(load.url)
  const { rangeBytes, putBytes } = load
  const method: Method = putBytes === undefined ? 'GET' : 'PUT'
  const whole = signedRequest(method, url, load.credentials, Date.now(), 'x'.repeat(putBytes ?? 0))
  let next = 0
  const requestOf = (index: number) =>
    rangeBytes === undefined
      ? whole
      : whole.replace(/\r\n\r\n$/, `\r\nrange:bytes=${index * rangeBytes}-${(index + 1) * rangeBytes - 1}\r\n\r\n`)
  let bytes = 0
  const worker = async () => {
    const connection = new Connection(url)
    try {
      while (next < load.requests) {
        const answer = await connection.request(requestOf(next++))
        if (answer.status !== 200 && answer.status !== 206) throw new Error(`the endpoint answered ${answer.status}`)
        bytes += answer.bodyBytes
      }
    } finally {
      connection.close()
    }
  }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: load.connections }, worker))
  return { seconds: (performance.now() - startMs) / 1000, bytes }
}
