import type { ObjectDetails } from '../../bucket/info.js'
import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket info`. */
export const info: BucketCommand = {
  describe: command =>
    command.description('Says what is known of objects, one after the other.').argument('<KEY...>', 'the keys'),
  run: async context => {
    const { output, signal, words } = context
    const bucket = await context.openBucket()
    const facts = []
    for (const key of words) facts.push(factsOf(await bucket.info(key, { signal })))
    if (output.isJson) output.printJson(words.length === 1 ? facts[0] : facts)
    else output.print(...facts.flatMap((fact, index) => [...(index === 0 ? [] : ['']), ...lines(fact)]))
    return EXIT.done
  },
}

type Facts = Readonly<Record<string, unknown>>

/** By the names that HTTP has for them; what is not known is left out. */
function factsOf(details: ObjectDetails): Facts {
  const { headers, encryption } = details
  return {
    key: details.key,
    size: details.sizeBytes,
    'last-modified': new Date(details.lastModifiedMs).toISOString(),
    md5: details.md5,
    etag: details.etag,
    'content-type': headers.contentType,
    'content-encoding': headers.contentEncoding,
    'content-disposition': headers.contentDisposition,
    'content-language': headers.contentLanguage,
    'cache-control': headers.cacheControl,
    expires: headers.expires,
    'storage-class': details.storageClass,
    'version-id': details.versionId,
    encryption:
      encryption === undefined ? undefined : [encryption.algorithm, encryption.keyId].filter(Boolean).join(' '),
    public: details.isPublic,
    url: details.url,
    metadata: details.metadata,
  }
}

function lines(facts: Facts): readonly string[] {
  return Object.entries(facts).flatMap(([name, value]) => {
    if (value === undefined) return []
    if (typeof value !== 'object' || value === null) return [`${name}: ${String(value)}`]
    return Object.entries(value).map(([each, text]) => `meta ${each}: ${String(text)}`)
  })
}
