/** Signers that other people wrote for AWS KMS, as they come from the registry, against the emulator under strict SigV4. */
import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { after, before, test } from 'node:test'
import { GetPublicKeyCommand } from '@aws-sdk/client-kms'
import { KMSSigner } from '@rumblefishdev/eth-signer-kms'
import { AwsKmsSigner } from '@solana/keychain-aws-kms'
import {
  parseTransaction,
  recoverMessageAddress,
  recoverTransactionAddress,
  recoverTypedDataAddress,
  type TransactionSerializedEIP1559,
} from 'viem'
import { publicKeyToAddress } from 'viem/accounts'
import { createKey, hex, start, toHex } from './support.ts'

const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
// RFC 8032 section 7.1, test 1
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'

const { kms, client } = await start({
  sigv4: 'strict',
  seed: { version: 1, keys: [{ spec: 'ECC_NIST_EDWARDS25519', aliases: ['alias/solana'], material: { hex: SEED } }] },
})
const credentials = () => ({ accessKeyId: 'test', secretAccessKey: 'test' })

// This one takes no endpoint: it is sent here as any program that cannot be changed, by the environment.
const kept = process.env['AWS_ENDPOINT_URL_KMS']
before(() => {
  process.env['AWS_ENDPOINT_URL_KMS'] = kms.aws
})
after(() => {
  if (kept === undefined) delete process.env['AWS_ENDPOINT_URL_KMS']
  else process.env['AWS_ENDPOINT_URL_KMS'] = kept
})

async function spki(KeyId: string): Promise<Uint8Array> {
  return (await client.send(new GetPublicKeyCommand({ KeyId }))).PublicKey!
}

/** As Solana writes addresses. */
function base58(bytes: Uint8Array): string {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  let value = BigInt(`0x${toHex(bytes)}`)
  let out = ''
  for (; value > 0n; value /= 58n) out = alphabet[Number(value % 58n)] + out
  return '1'.repeat(bytes.findIndex(byte => byte !== 0)) + out
}

test('@solana/keychain-aws-kms signs messages and transactions that verify under the key', async () => {
  const publicKey = await spki('alias/solana')
  const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' })
  const address = base58(publicKey.subarray(-32))
  assert.equal(address, 'FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z')
  const signer = new AwsKmsSigner({
    keyId: 'alias/solana',
    publicKey: address,
    region: kms.region,
    credentials: credentials(),
  })
  assert.equal(await signer.isAvailable(), true)
  const contents = [new TextEncoder().encode('hello'), new Uint8Array(4_096).fill(7), hex('00')]
  const signed = await signer.signMessages(contents.map(content => ({ content, signatures: {} })) as never)
  assert.equal(signed.length, contents.length)
  for (const [i, dictionary] of signed.entries()) {
    const signature = Object.values(dictionary)[0]
    assert.deepEqual(Object.keys(dictionary), [address])
    assert.ok(verify(null, contents[i]!, key, signature as Uint8Array))
  }
  const messageBytes = new Uint8Array(200).fill(3)
  const [transaction] = await signer.signTransactions([{ messageBytes, signatures: {} }] as never)
  assert.ok(verify(null, messageBytes, key, Object.values(transaction!)[0] as Uint8Array))
})

test('@solana/keychain-aws-kms sees a key that is disabled or of another kind', async () => {
  const { arn } = await createKey(client, { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
  const publicKey = base58((await spki('alias/solana')).subarray(-32))
  const wrong = new AwsKmsSigner({ keyId: arn, publicKey, region: kms.region, credentials: credentials() })
  assert.equal(await wrong.isAvailable(), false)
  const messages = [{ content: hex('00'), signatures: {} }] as never
  const refused = await wrong.signMessages(messages).then(
    () => assert.fail('nothing was refused'),
    (error: Error & { context?: unknown }) => `${error.message} ${JSON.stringify(error.context)}`,
  )
  assert.match(refused, /Algorithm ED25519_SHA_512 is incompatible with key spec ECC_SECG_P256K1/)
})

test('@rumblefishdev/eth-signer-kms signs an EIP-1559 transaction, a message and typed data of its address', async () => {
  const { arn } = await createKey(client, { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
  const address = publicKeyToAddress(`0x${toHex((await spki(arn)).subarray(-65))}`)
  const signer = await KMSSigner.create(undefined as never, arn, client)
  assert.equal(await signer.getAddress(), address)
  // Many, since the service draws s from both halves and r and s of every length.
  for (let nonce = 0; nonce < 40; nonce++) {
    const serialized = (await signer.signTransaction({
      type: 2,
      chainId: 11_155_111,
      nonce,
      to: '0x00000000000000000000000000000000000000aa',
      value: 10n ** 15n,
      gasLimit: 21_000,
      maxFeePerGas: 30n * 10n ** 9n,
      maxPriorityFeePerGas: 10n ** 9n,
    })) as TransactionSerializedEIP1559
    assert.equal(await recoverTransactionAddress({ serializedTransaction: serialized }), address)
    const parsed = parseTransaction(serialized)
    assert.equal(parsed.nonce ?? 0, nonce)
    assert.ok(BigInt(parsed.s!) <= N / 2n)
  }
  const signature = (await signer.signMessage('hello')) as `0x${string}`
  assert.equal(await recoverMessageAddress({ message: 'hello', signature }), address)
  const typed = {
    domain: { name: 'Countersign', version: '1', chainId: 11_155_111 },
    types: {
      Payment: [
        { name: 'to', type: 'address' },
        { name: 'amount', type: 'uint256' },
      ],
    },
    message: { to: '0x00000000000000000000000000000000000000aa', amount: 5n },
  } as const
  const ofTyped = (await signer.signTypedData(typed.domain, typed.types as never, typed.message)) as `0x${string}`
  assert.equal(await recoverTypedDataAddress({ ...typed, primaryType: 'Payment', signature: ofTyped }), address)
})
