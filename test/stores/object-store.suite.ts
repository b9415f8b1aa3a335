import { afterAll, beforeAll, describe } from 'vitest'
import { emptyStore } from '../support/store-tools.js'
import { conditionTests } from './suite/condition-tests.js'
import { copyTests } from './suite/copy-tests.js'
import { keyTests } from './suite/key-tests.js'
import { listTests } from './suite/list-tests.js'
import { objectTests } from './suite/object-tests.js'
import { type OpenedStore, SuiteContext, type SuiteOptions } from './suite/suite-context.js'
import { traitsTests } from './suite/traits-tests.js'
import { uploadTests } from './suite/upload-tests.js'

/**
 * What every object store and every layer around one must do, driven by what the store declares in its capabilities.
 * `deviations` names where a server is known to do otherwise, with the reason beside the list.
 */
export function objectStoreSuite(name: string, open: () => Promise<OpenedStore>, options: SuiteOptions = {}): void {
  describe(`object store: ${name}`, () => {
    const context = new SuiteContext(options)
    let opened: OpenedStore | undefined
    beforeAll(async () => {
      opened = await open()
      context.opened = opened
    })
    afterAll(async () => {
      if (opened === undefined) return
      await emptyStore(opened.store, opened.prefix)
      await opened.dispose()
    })
    describe('objects', () => objectTests(context))
    describe('keys', () => keyTests(context))
    describe('listing', () => listTests(context))
    describe('conditions', () => conditionTests(context))
    describe('uploads', () => uploadTests(context))
    describe('copies', () => copyTests(context))
    describe('traits', () => traitsTests(context))
  })
}
