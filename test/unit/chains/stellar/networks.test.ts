import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../../src/bytes/hex.ts'
import { networkIdOf, passphraseOf, STELLAR_NETWORKS, stellar } from '../../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import { corpus } from '../../../fuzz/xdr-corpus.ts'

/** SHA-256 of the passphrases, as published. */
const IDS: Readonly<Record<string, string>> = {
  public: '7ac33997544e3175d266bd022439b22cdb16508c01163f26e5cb2a3e1045a979',
  testnet: 'cee0302d59844d32bdca915c8203dd44b33fbb7edc19051ea37abedf28ecd472',
  futurenet: 'a3a1c6a78286713e29be0e9785670fa838d13917cd8eaeb4a3579ff1debc7fd5',
  sandbox: '9a8931194023c5a25b7006a217b0ea590c5eaea9f6c61a356989899bbcf478bc',
  standalone: 'baefd734b8d3e48472cff83912375fedbc7573701912fe308af730180f97d74a',
  local: 'baefd734b8d3e48472cff83912375fedbc7573701912fe308af730180f97d74a',
}

test('network ids are the SHA-256 of the passphrases', () => {
  assert.deepEqual([...STELLAR_NETWORKS].toSorted(), Object.keys(IDS).toSorted())
  for (const [name, id] of Object.entries(IDS)) assert.equal(toHex(networkIdOf(name)), id, name)
})

test('T25 a custom network is named by its passphrase and cannot be a listed one in disguise', () => {
  assert.equal(passphraseOf('custom:My Network ; 2026'), 'My Network ; 2026')
  const refused = [
    'mainnet',
    '',
    'custom:',
    `custom:${passphraseOf('public')}`,
    `custom:${passphraseOf('testnet')}`,
    `custom: ${passphraseOf('public')}`,
    `custom:${'x'.repeat(257)}`,
    'custom:tab\there',
    'custom:é',
    'constructor',
    '__proto__',
  ]
  for (const name of refused) {
    assert.throws(
      () => passphraseOf(name),
      error => isSignerError(error) && error.code === 'config/invalid',
      name,
    )
  }
})

test('T25 every envelope has another hash on every network', () => {
  const networks = ['testnet', 'public', 'futurenet', 'sandbox', 'local', 'custom:My Network ; 2026']
  for (const xdr of corpus()) {
    const hashes = networks.map(name => stellar.hash(stellar.parse({ type: 'stellar-transaction', xdr }, name)))
    assert.equal(new Set(hashes).size, networks.length)
  }
})

test('T25 a passphrase in the payload is refused, whatever it is called', () => {
  const [xdr] = corpus()
  for (const field of ['network', 'networkPassphrase', 'passphrase']) {
    assert.throws(
      () => stellar.parse({ type: 'stellar-transaction', xdr, [field]: passphraseOf('public') }, 'testnet'),
      error => isSignerError(error) && error.code === 'payload/invalid' && error.detail.field === field,
    )
  }
})
