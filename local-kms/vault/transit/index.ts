import type { Route } from '../context.ts'
import { backupRoutes } from './backup.ts'
import { encryptRoutes } from './encrypt.ts'
import { exportRoutes } from './export.ts'
import { hmacRoutes } from './hmac.ts'
import { importRoutes } from './import.ts'
import { keyRoutes } from './keys.ts'
import { transitState } from './model.ts'
import { signRoutes } from './sign.ts'
import { HASH_FIELDS, hashInput, RANDOM_FIELDS, randomBytes } from './tools.ts'
import { verifyRoutes } from './verify.ts'

export const transitRoutes: readonly Route[] = [
  ...keyRoutes,
  ...importRoutes,
  ...signRoutes,
  ...verifyRoutes,
  ...encryptRoutes,
  ...hmacRoutes,
  ...exportRoutes,
  ...backupRoutes,
  { path: 'hash/:urlalgorithm?', pure: true, fields: HASH_FIELDS, update: hashInput },
  { path: 'random/:urlbytes?', pure: true, fields: RANDOM_FIELDS, update: randomBytes },
  { path: 'random/:source/:urlbytes', pure: true, fields: RANDOM_FIELDS, update: randomBytes },
  {
    path: 'config/keys',
    fields: { disable_upsert: 'bool' },
    read: call => ({ data: { disable_upsert: transitState(call.mount).disableUpsert } }),
    update(call) {
      const state = transitState(call.mount)
      state.disableUpsert = call.data.bool('disable_upsert', state.disableUpsert)
      return { data: { disable_upsert: state.disableUpsert } }
    },
  },
  {
    path: 'cache-config',
    fields: { size: 'int' },
    read: call => ({ data: { size: transitState(call.mount).cacheSize } }),
    update(call) {
      const state = transitState(call.mount)
      state.cacheSize = call.data.int('size')
      return { data: { size: state.cacheSize } }
    },
  },
]
