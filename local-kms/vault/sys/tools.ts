import type { Route } from '../context.ts'
import { HASH_FIELDS, hashInput, RANDOM_FIELDS, randomBytes } from '../transit/tools.ts'
import { bad } from '../errors.ts'

/** Hash and random are the same here and in the Transit engine. */
export const toolRoutes: readonly Route[] = [
  { path: 'tools/hash/:urlalgorithm?', pure: true, fields: HASH_FIELDS, update: hashInput },
  { path: 'tools/random/:urlbytes?', pure: true, fields: RANDOM_FIELDS, update: randomBytes },
  { path: 'tools/random/:source/:urlbytes', pure: true, fields: RANDOM_FIELDS, update: randomBytes },
  {
    path: 'leases/renew',
    fields: { lease_id: 'string', increment: 'duration' },
    update() {
      throw bad('lease not found')
    },
  },
  {
    path: 'leases/lookup',
    fields: { lease_id: 'string' },
    update() {
      throw bad('invalid lease')
    },
  },
]
