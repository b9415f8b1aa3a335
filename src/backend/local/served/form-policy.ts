import type { Condition, Policy } from '../../signing/upload-form.js'
import { Refusal } from './refusal.js'

/** Fields that no condition needs to name. */
const FREE = /^(policy|x-amz-signature|x-ignore-.*)$/

/** Throws 403 unless the fields are as the policy wants them, and none is beside it. Names in lower case. */
export function checkFields(policy: Policy, fields: ReadonlyMap<string, string>): void {
  const named = new Set<string>()
  for (const condition of policy.conditions) {
    for (const [name, holds] of testsOf(condition)) {
      named.add(name)
      if (!holds(fields.get(name) ?? '')) throw refused(`the policy does not permit this value of ${name}`)
    }
  }
  for (const name of fields.keys())
    if (!FREE.test(name) && !named.has(name)) throw refused(`the policy does not name the field ${name}`)
}

/** How large the file may be. */
export function sizesOf(policy: Policy): { readonly leastBytes: number; readonly mostBytes: number } {
  for (const condition of policy.conditions)
    if (Array.isArray(condition) && condition[0] === 'content-length-range')
      return { leastBytes: Number(condition[1]), mostBytes: Number(condition[2]) }
  return { leastBytes: 0, mostBytes: Number.POSITIVE_INFINITY }
}

function testsOf(condition: Condition): readonly (readonly [string, (value: string) => boolean])[] {
  if (!Array.isArray(condition))
    return Object.entries(condition).map(([name, wanted]) => [name.toLowerCase(), value => value === wanted])
  const [kind, target, wanted] = condition
  if (kind === 'content-length-range') return []
  const name = String(target).replace(/^\$/, '').toLowerCase()
  const text = String(wanted)
  return [[name, value => (kind === 'eq' ? value === text : value.startsWith(text))]]
}

function refused(message: string): Refusal {
  return new Refusal(403, 'AccessDenied', message)
}
