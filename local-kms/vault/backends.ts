import { approleRoutes } from './auth/approle.ts'
import { jwtRoutes } from './auth/jwt.ts'
import { kubernetesRoutes } from './auth/kubernetes.ts'
import { tokenRoutes } from './auth/token.ts'
import type { Route } from './context.ts'
import { kindOf } from './kinds.ts'
import type { Mount } from './state.ts'
import { sysRoutes } from './sys/index.ts'
import { transitRoutes } from './transit/index.ts'

const ROUTES: Record<string, readonly Route[]> = {
  transit: transitRoutes,
  system: sysRoutes,
  token: tokenRoutes,
  approle: approleRoutes,
  jwt: jwtRoutes,
  kubernetes: kubernetesRoutes,
}

/** @returns nothing for engines that are there by name only, such as `cubbyhole`. */
export function routesOf(mount: Mount): readonly Route[] {
  return ROUTES[kindOf(mount)] ?? []
}
