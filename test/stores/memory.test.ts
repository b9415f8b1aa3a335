import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { objectStoreSuite } from './object-store.suite.js'

objectStoreSuite('memory', async () => ({
  store: openMemoryStore('suite', { minPartBytes: 5000 }),
  prefix: '',
  dispose: async () => {},
}))
