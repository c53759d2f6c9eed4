/**
 * Signer libraries of others, for comparison. Dependencies of development: the single binary does not hold them, and
 * nothing that is reached from `src/main.ts` imports this file (test/architecture).
 */
import { GetPublicKeyCommand } from '@aws-sdk/client-kms'
import { KMSSigner } from '@rumblefishdev/eth-signer-kms'
import { AwsKmsSigner } from '@solana/keychain-aws-kms'
import { VaultSigner } from '@solana/keychain-vault'
import { recoverMessageAddress } from 'viem'
import { toHex } from '../../src/bytes/hex.ts'
import type { LibraryName } from '../matrix/cells.ts'
import { type Emulator, ETHEREUM_ID, REFERENCES } from '../rig/emulator.ts'
import { awsClient, vendorKey } from './sdk.ts'
import { HASH, type Subject, textOf, verifies } from './subject.ts'

/** @param emulator  its AWS face must also stand in AWS_ENDPOINT_URL_KMS: one library takes no endpoint. */
export function librarySubject(name: LibraryName, emulator: Emulator): Promise<Subject> {
  switch (name) {
    case '@solana/keychain-aws-kms':
      return solanaAws(emulator)
    case '@solana/keychain-vault':
      return solanaVault(emulator)
    case '@rumblefishdev/eth-signer-kms':
      return ethereumAws(emulator)
    default:
      name satisfies never
      throw new TypeError(`Unknown library ${String(name)}`)
  }
}

interface SolanaSigner {
  signMessages(messages: never): Promise<readonly Readonly<Record<string, Uint8Array>>[]>
}

function solana(signer: SolanaSigner, publicKey: Uint8Array): Subject {
  const message = [{ content: HASH, signatures: {} }] as never
  return {
    sign: async () => {
      const [signatures] = await signer.signMessages(message)
      return textOf(Object.values(signatures ?? {})[0])
    },
    verify: verifies(publicKey),
    close: () => {},
  }
}

async function solanaAws(emulator: Emulator): Promise<Subject> {
  const publicKey = await vendorKey('aws-kms-sdk', emulator)
  const signer = new AwsKmsSigner({
    keyId: REFERENCES.aws.native,
    publicKey: base58(publicKey),
    region: 'us-east-1',
    credentials: {
      accessKeyId: 'test',
      secretAccessKey: 'test',
    },
  })
  return solana(signer, publicKey)
}

async function solanaVault(emulator: Emulator): Promise<Subject> {
  const publicKey = await vendorKey('vault-transit-http', emulator)
  const signer = new VaultSigner({
    vaultAddr: emulator.vault,
    vaultToken: emulator.vaultToken,
    keyName: 'demo-vault',
    publicKey: base58(publicKey),
  })
  return solana(signer, publicKey)
}

/** Signs secp256k1: another key and another message than the rest. */
async function ethereumAws(emulator: Emulator): Promise<Subject> {
  const client = awsClient(emulator)
  await client.send(new GetPublicKeyCommand({ KeyId: ETHEREUM_ID })) // the key is there
  const signer = await KMSSigner.create(undefined as never, ETHEREUM_ID, client)
  const address = await signer.getAddress()
  const message = toHex(HASH)
  return {
    sign: () => signer.signMessage(message),
    verify: async signature =>
      (await recoverMessageAddress({ message, signature: signature as `0x${string}` })) === address,
    close: () => client.destroy(),
  }
}

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** As Solana writes addresses. */
function base58(bytes: Uint8Array): string {
  let value = BigInt(`0x${toHex(bytes)}`)
  let out = ''
  for (; value > 0n; value /= 58n) out = (ALPHABET[Number(value % 58n)] ?? '') + out
  return '1'.repeat(bytes.findIndex(byte => byte !== 0)) + out
}
