import { z } from 'zod'
import { parseNetwork, UNIX } from '../access/addresses.ts'
import { FIX } from './shapes.ts'

/** An address, a network, or `unix` for callers on the socket, read by the module that also matches them (D20). */
export const network = z
  .string()
  .max(64)
  .refine(
    value => value === UNIX || parseNetwork(value) !== undefined,
    `is not a network${FIX}write an address, a network such as 192.0.2.0/24 or 2001:db8::/32 with no bits after the prefix, or unix`,
  )
