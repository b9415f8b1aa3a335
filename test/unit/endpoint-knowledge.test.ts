import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { knowledgeIn } from '../../src/compose/endpoint-knowledge.js'
import { temporaryFolder } from '../support/configuration.js'

it('is there for the next mount of the same endpoint, and for no other', async () => {
  const folder = temporaryFolder()
  await knowledgeIn(folder, 'a').save({ tags: 'counted' })
  expect(await knowledgeIn(folder, 'a').load()).toEqual({ tags: 'counted' })
  expect(await knowledgeIn(folder, 'b').load()).toBeUndefined()
})

it('leaves nothing where it can not be kept', async () => {
  const folder = temporaryFolder()
  const keeper = knowledgeIn(folder, 'a')
  await keeper.save({})
  const [name = ''] = readdirSync(folder)
  const other = temporaryFolder()
  // No file can take the place of a folder.
  mkdirSync(join(other, name))
  await expect(knowledgeIn(other, 'a').save({})).rejects.toThrow()
  expect(readdirSync(other)).toEqual([name])
})
