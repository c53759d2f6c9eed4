/** The entries of a machine: AWS's SDK with its credential chain, `node-vault`, Google's libraries. Bun, Node and Deno. */
import { create as createAws } from '../../../providers/aws-kms/index.ts'
import { create as createGcp } from '../../../providers/gcp-kms/index.ts'
import { create as createVault } from '../../../providers/vault-transit/index.ts'
import type { Openers } from './openers.ts'

export const machine: Openers = { 'aws-kms': createAws, 'vault-transit': createVault, 'gcp-kms': createGcp }
