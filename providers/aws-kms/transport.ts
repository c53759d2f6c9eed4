import type { Call } from '../../src/domain/provider.ts'
import type { Attempted } from './attempt.ts'
import type { Operation } from './translate.ts'

/** What signing and envelopes ask of AWS KMS, spelt as its API spells it; bytes are bytes on both sides. */
export interface Asked {
  readonly Sign: {
    readonly KeyId: string
    readonly Message: Uint8Array
    readonly MessageType: 'RAW' | 'DIGEST'
    readonly SigningAlgorithm: 'ED25519_SHA_512' | 'ECDSA_SHA_256'
  }
  readonly GetPublicKey: { readonly KeyId: string }
  readonly Encrypt: {
    readonly KeyId: string
    readonly Plaintext: Uint8Array
    readonly EncryptionContext: Record<string, string>
  }
  readonly Decrypt: {
    readonly KeyId: string
    readonly CiphertextBlob: Uint8Array
    readonly EncryptionContext: Record<string, string>
  }
}

export type AskedName = keyof Asked

/** Members as the wire gave them: none is checked yet. `Signature`, `PublicKey` and `CiphertextBlob` are bytes by now. */
export type Output = Readonly<Record<string, unknown>>

/** Two of them stand behind one conformance suite: AWS's SDK (client.ts) and the lean one (lean.ts). */
export interface Transport {
  /** True when the endpoint is on this machine: an emulator, of which no protection level can be claimed. */
  readonly local: boolean
  /** Where requests go: as configured, or by AWS's rules for the Region. */
  readonly endpoint: string
  /** One attempt, one request. @throws SignerError only, by the table in translate.ts. */
  ask<N extends AskedName>(name: N, input: Asked[N], call: Call): Promise<Attempted<Output>>
  close(): void
}

export const OPERATIONS: Readonly<Record<AskedName, Operation>> = {
  Sign: { name: 'Sign', kind: 'effect' },
  GetPublicKey: { name: 'GetPublicKey', kind: 'read' },
  Encrypt: { name: 'Encrypt', kind: 'read' },
  Decrypt: { name: 'Decrypt', kind: 'read' },
}
