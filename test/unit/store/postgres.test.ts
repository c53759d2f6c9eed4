import { skip, world } from './postgres-world.ts'
import { storeSuite } from './store-suite.ts'

const { open, empty } = world('suite')

storeSuite(
  'postgres store',
  async () => {
    await empty()
    return open()
  },
  skip,
)
