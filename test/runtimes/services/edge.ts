/** The entries that need nothing but fetch; what workerd gets, and what the others must equal. */
import { create as createAws } from '../../../providers/aws-kms/edge.ts'
import { create as createGcp } from '../../../providers/gcp-kms/edge.ts'
import { create as createVault } from '../../../providers/vault-transit/edge.ts'
import type { Openers } from './openers.ts'

export const edge: Openers = { 'aws-kms': createAws, 'vault-transit': createVault, 'gcp-kms': createGcp }
