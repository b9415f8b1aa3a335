import type { StoreError } from '../store-error.js'
import { type Attempt, corruptReply, toStoreError } from './errors.js'
import { escapeXml, XmlError, XmlReader } from './xml.js'

/** A key that DeleteObjects did not delete. */
export interface DeleteFailure {
  readonly key: string
  readonly error: StoreError
}

/** Asks to be told of failures only. XML must be able to carry the keys. */
export function writeDeleteRequest(keys: readonly string[]): string {
  const objects = keys.map(key => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('')
  return `<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}<Quiet>true</Quiet></Delete>`
}

export function readDeleteResult(xml: string, keys: readonly string[], attempt: Attempt): readonly DeleteFailure[] {
  const asked = new Set(keys)
  return readErrors(xml, attempt)
    .filter(({ Code }) => Code !== 'NoSuchKey')
    .map(({ Key, Code, Message }) => {
      if (Key === undefined || !asked.has(Key)) throw corruptReply(`an error about another key: ${Key}`, attempt)
      return { key: Key, error: toStoreError({ Code, message: Message }, { ...attempt, key: Key }) }
    })
}

type ErrorLeaves = Partial<Record<string, string>>

function readErrors(xml: string, attempt: Attempt): readonly ErrorLeaves[] {
  const errors: ErrorLeaves[] = []
  try {
    const reader = new XmlReader(xml)
    if (reader.enter() !== 'DeleteResult') throw corruptReply('not a result of DeleteObjects', attempt)
    for (let name = reader.enter(); name !== undefined; name = reader.enter())
      if (name === 'Error') errors.push(readError(reader))
      else reader.leave()
  } catch (error) {
    if (error instanceof XmlError) throw corruptReply(error.message, attempt)
    throw error
  }
  return errors
}

function readError(reader: XmlReader): ErrorLeaves {
  const leaves: ErrorLeaves = {}
  for (let name = reader.enter(); name !== undefined; name = reader.enter()) leaves[name] = reader.text()
  return leaves
}
