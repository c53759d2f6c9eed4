import type { Route } from '../context.ts'
import { wrappingRoutes } from '../wrapping.ts'
import { mountRoutes } from './mounts.ts'
import { namespaceRoutes } from './namespaces.ts'
import { policyRoutes } from './policies.ts'
import { quotaRoutes } from './quotas.ts'
import { serverRoutes } from './server.ts'
import { toolRoutes } from './tools.ts'

export const sysRoutes: readonly Route[] = [
  ...serverRoutes,
  ...mountRoutes,
  ...policyRoutes,
  ...namespaceRoutes,
  ...quotaRoutes,
  ...toolRoutes,
  ...wrappingRoutes,
]
