import { SignerError } from '../../src/domain/errors.ts'
import type { Call, KeyFacts, KeyRef, Scheme } from '../../src/domain/provider.ts'
import { ed25519FromSpki, secp256k1FromSpki } from '../../src/bytes/spki.ts'
import { malformed } from '../judgement.ts'
import { bytesOf, isKeyArn, SPELLING, schemeOf, textOf } from './translate.ts'
import type { Output, Transport } from './transport.ts'

/**
 * GetPublicKey, every member of it checked. The reference to pin is the key ARN of the answer, so an alias may be asked
 * about once and is never used again.
 * @throws `key/unsupported` for another kind of key; `key/mismatch` when an ARN was asked for and another one answers.
 */
export async function describeKey(client: Transport, provider: string, key: KeyRef, call: Call): Promise<KeyFacts> {
  if (key.length < 1 || key.length > 2048) {
    throw new SignerError('provider/refused', {
      provider,
      reason: 'GetPublicKey: a key reference has 1 to 2048 characters',
    })
  }
  const { output, providerRequestId } = await client.ask('GetPublicKey', { KeyId: key }, call)
  const reference = textOf(output['KeyId']) ?? ''
  if (!isKeyArn(reference)) {
    throw malformed(provider, 'GetPublicKey: the answer holds no key ARN', providerRequestId)
  }
  if (isKeyArn(key) && reference !== key)
    throw new SignerError('key/mismatch', { key, reason: 'AWS KMS answered for another key' })
  const scheme = checkedScheme(key, output)
  const spki = bytesOf(output['PublicKey']) ?? new Uint8Array(0)
  const publicKey = scheme === 'ed25519' ? ed25519FromSpki(spki) : secp256k1FromSpki(spki)
  if (publicKey === undefined) {
    throw malformed(provider, 'GetPublicKey: the public key is not the SPKI of its KeySpec', providerRequestId)
  }
  return { reference, scheme, publicKey, protection: client.local ? 'unknown' : 'hsm' }
}

function checkedScheme(key: KeyRef, output: Output): Scheme {
  const scheme = schemeOf(textOf(output['KeySpec']))
  const wanted = 'a signing key, ECC_NIST_EDWARDS25519 or ECC_SECG_P256K1'
  if (scheme === undefined)
    throw new SignerError('key/unsupported', { key, wanted, reason: 'the key has another KeySpec' })
  if (output['KeyUsage'] !== 'SIGN_VERIFY') {
    throw new SignerError('key/unsupported', { key, wanted, reason: 'the KeyUsage of the key is not SIGN_VERIFY' })
  }
  const offered = output['SigningAlgorithms']
  if (!Array.isArray(offered) || !offered.includes(SPELLING[scheme].algorithm)) {
    const reason = `the key does not offer ${SPELLING[scheme].algorithm}`
    throw new SignerError('key/unsupported', { key, wanted, reason })
  }
  return scheme
}
