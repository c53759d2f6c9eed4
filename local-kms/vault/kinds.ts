import type { Mount } from './state.ts'

/** Engines that `sys/mounts` can put somewhere. */
export const ENGINES = ['transit']
/** Methods that `sys/auth` can put somewhere. */
export const METHODS = ['approle', 'jwt', 'kubernetes']

/** What `sys` and `auth/token` are called in a namespace begins with `ns_`. */
export const kindOf = ({ type }: Mount): string => (type.startsWith('ns_') ? type.slice(3) : type)
