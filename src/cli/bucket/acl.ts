import { type AclState, CANNED_ACLS } from '../../backend/powers.js'
import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket acl`. */
export const acl: BucketCommand = {
  describe: command =>
    command
      .description('Says or changes who may read and write an object, or without a key the bucket.')
      .argument('<WHAT>', 'get, or set')
      .argument('[WORD...]', 'get: [KEY]; set: ACL [KEY]')
      .addHelpText(
        'after',
        `
ACL is one of ${CANNED_ACLS.join(', ')}.

Examples:
  bucket acl get report.pdf
  bucket acl set public-read report.pdf
  bucket acl set private`,
      ),
  run: async context => {
    const { output, signal } = context
    const [what = '', ...rest] = context.words
    if (what !== 'get' && what !== 'set') throw context.usage('WHAT', 'get or set', JSON.stringify(what))
    const canned = what === 'get' ? undefined : CANNED_ACLS.find(each => each === rest[0])
    if (what === 'set' && canned === undefined)
      throw context.usage('ACL', CANNED_ACLS.join(', '), rest[0] === undefined ? 'none' : JSON.stringify(rest[0]))
    const [key, surplus] = what === 'get' ? rest : rest.slice(1)
    if (surplus !== undefined) throw context.usage('KEY', 'one key', JSON.stringify(surplus))
    const bucket = await context.openBucket()
    if (canned !== undefined) await bucket.acl.set(key, canned, { signal })
    else {
      const state = await bucket.acl.get(key, { signal })
      if (output.isJson) output.printJson({ acl: state.canned ?? 'custom', owner: state.owner, grants: state.grants })
      else output.print(...lines(state))
    }
    return EXIT.done
  },
}

function lines({ canned, grants }: AclState): readonly string[] {
  if (canned !== undefined) return [canned]
  return ['custom', ...grants.map(({ permission, grantee }) => `${permission} ${grantee}`)]
}
