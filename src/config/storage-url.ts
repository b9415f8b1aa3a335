import type { Fault } from './fault.js'
import type { GivenValue } from './source.js'

const FORMS: ReadonlyMap<string, { readonly pattern: RegExp; readonly form: string }> = new Map([
  ['s3', { pattern: /^s3:\/\/[^/?#@:\s]+(\/.*)?$/s, form: 's3://BUCKET or s3://BUCKET/PREFIX' }],
  ['file', { pattern: /^file:\/\/\/.*$/s, form: 'file:///FOLDER' }],
  ['mem', { pattern: /^mem:\/\/[^/?#@\s]+(\/.*)?$/s, form: 'mem://NAME or mem://NAME/PREFIX' }],
])

const ALL_FORMS = [...FORMS.values()].map(({ form }) => form).join(', ')

/** The URL without a slash at its end; undefined and a fault where no store can be opened with it. */
export function checkStorageUrl(given: GivenValue, faults: Fault[]): string | undefined {
  const { text, place } = given
  const form = FORMS.get(schemeOf(text))
  // A prefix is taken as it is written, so that only one slash behind a name says nothing.
  if (form?.pattern.test(text)) return text.replace(/([^/])\/$/, '$1')
  faults.push({ place, expected: form?.form ?? ALL_FORMS, found: JSON.stringify(withoutSecrets(text)) })
  return undefined
}

export function schemeOf(url: string): string {
  return /^([a-z][a-z0-9+.-]*):\/\//.exec(url)?.[1] ?? ''
}

/** Someone may have put keys before an `@`: they are not repeated in messages. */
function withoutSecrets(text: string): string {
  return text.replace(/\/\/[^/]*@/, '//...@')
}
