import type { Fault } from './fault.js'
import type { OptionName } from './option-table.js'
import type { GivenValue } from './source.js'

/** What the section `s3:` of a file for the Python module s3 0.1.3 may hold. */
export const PYTHON_KEYS = ['access_key_id', 'secret_access_key', 'default_bucket', 'endpoint', 'tls'] as const

type PythonKey = (typeof PYTHON_KEYS)[number]

export function isPythonKey(key: string): key is PythonKey {
  return PYTHON_KEYS.some(each => each === key)
}

/** The same in options of ours: the endpoint is a host there, and `tls: false` what makes it http. */
export function valuesOfPythonModule(
  texts: ReadonlyMap<string, GivenValue>,
  faults: Fault[],
): ReadonlyMap<OptionName, GivenValue> {
  const values = new Map<OptionName, GivenValue>()
  const take = (name: OptionName, key: PythonKey, change: (text: string) => string = text => text) => {
    const given = texts.get(key)
    if (given !== undefined) values.set(name, { ...given, text: change(given.text) })
  }
  const tls = texts.get('tls')
  if (tls !== undefined && !/^(true|false|yes|no|on|off)$/i.test(tls.text))
    faults.push({ place: tls.place, expected: 'true or false', found: JSON.stringify(tls.text) })
  const scheme = /^(false|no|off)$/i.test(tls?.text ?? '') ? 'http' : 'https'
  take('accessKeyId', 'access_key_id')
  take('secretAccessKey', 'secret_access_key')
  take('url', 'default_bucket', bucket => `s3://${bucket}`)
  take('endpoint', 'endpoint', host => (/^https?:\/\//.test(host) ? host : `${scheme}://${host}`))
  return values
}
