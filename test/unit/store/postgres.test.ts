import { clock, skip, world } from './postgres-world.ts'
import { storeSuite } from './store-suite.ts'

const { open, empty } = world('suite')

storeSuite(
  'postgres store',
  async time => {
    await empty()
    return open('one', time === undefined ? {} : { clock: { ...clock, ...time } })
  },
  skip,
)
