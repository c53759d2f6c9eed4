import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { Client } from '@litehex/node-vault'
import { VaultSigner } from '@solana/keychain-vault'
import nodeVault from 'node-vault'
import { b64, serve } from './vault-support.ts'

/** Clients of others, as they come from the registry. */

const ED_SPKI = Buffer.from('302a300506032b6570032100', 'hex')
const verifyEd25519 = (publicKey: string, message: string | Uint8Array, signature: Uint8Array): boolean => {
  const key = createPublicKey({
    key: Buffer.concat([ED_SPKI, Buffer.from(publicKey, 'base64')]),
    format: 'der',
    type: 'spki',
  })
  return verify(null, Buffer.from(message), key, signature)
}
const bytesOf = (signature: string): Uint8Array => Buffer.from(signature.split(':')[2]!, 'base64')

test('Vault face: node-vault mounts, makes keys, logs in by AppRole, signs, encrypts', async () => {
  const { url } = await serve()
  const vault = nodeVault({ endpoint: url, token: 'root' })
  assert.equal((await vault.health()).sealed, false)
  await vault.mount({ mount_point: 'transit', type: 'transit' })
  await vault.write('transit/keys/payer', { type: 'ed25519' })
  await vault.write('transit/keys/rows', { type: 'aes256-gcm96' })
  await vault.addPolicy({ name: 'signer', rules: 'path "transit/sign/payer" { capabilities = ["update"] }' })
  await vault.enableAuth({ mount_point: 'approle', type: 'approle' })
  await vault.addApproleRole({ role_name: 'api', policies: 'signer', token_ttl: 1200 })
  const { data: role } = await vault.getApproleRoleId({ role_name: 'api' })
  const { data: secret } = await vault.getApproleRoleSecret({ role_name: 'api' })

  const signer = nodeVault({ endpoint: url })
  const { auth } = await signer.approleLogin({ role_id: role.role_id, secret_id: secret.secret_id })
  assert.equal(auth.lease_duration, 1200)
  signer.token = auth.client_token
  const { data } = await signer.write('transit/sign/payer', { input: b64('pay') })
  const key = await vault.read('transit/keys/payer')
  assert.ok(verifyEd25519(key.data.keys['1'].public_key, 'pay', bytesOf(data.signature)))
  await assert.rejects(
    signer.read('transit/keys/payer'),
    (error: { response: { statusCode: number; body: unknown } }) => {
      assert.equal(error.response.statusCode, 403)
      assert.deepEqual(error.response.body, { errors: ['1 error occurred:\n\t* permission denied\n\n'] })
      return true
    },
  )
  assert.equal((await signer.tokenLookupSelf()).data.display_name, 'approle')
  assert.equal((await signer.tokenRenewSelf()).auth.lease_duration, 1200)

  const context = b64('row 7')
  const sealed = await vault.write('transit/encrypt/rows', { plaintext: b64('seed'), associated_data: context })
  const opened = await vault.write('transit/decrypt/rows', {
    ciphertext: sealed.data.ciphertext,
    associated_data: context,
  })
  assert.equal(opened.data.plaintext, b64('seed'))
  assert.deepEqual((await vault.list('transit/keys')).data.keys, ['payer', 'rows'])
})

/** Its answers are checked by schemas that name Vault's `mount_type`; those of keys know symmetric types only. */
test('Vault face: @litehex/node-vault mounts, makes keys, signs, verifies, encrypts, rewraps, rotates', async () => {
  const { url, call } = await serve({ flavour: 'vault' })
  const vault = new Client({ endpoint: url, token: 'root' })
  const { transit } = vault
  const mountPath = 'transit'
  const got = <T>({ data, error }: { data?: T | null | undefined; error?: unknown }): T => {
    assert.ok(data !== undefined && data !== null, String(error))
    return data
  }
  got(await transit.enable({ mountPath, type: 'transit' }))
  const made = got(await transit.createKey({ mountPath, name: 'rows', type: 'aes256-gcm96', exportable: true }))
  assert.equal(made.data.latest_version, 1)
  const first = got(await transit.encrypt({ mountPath, name: 'rows', plaintext: b64('seed') })).data.ciphertext!
  got(await transit.rotateKey({ mountPath, name: 'rows' }))
  const second = got(await transit.rewrap({ mountPath, name: 'rows', ciphertext: first })).data.ciphertext!
  assert.match(second, /^vault:v2:/)
  assert.equal(got(await transit.decrypt({ mountPath, name: 'rows', ciphertext: second })).data.plaintext, b64('seed'))
  assert.equal(got(await transit.readKey({ mountPath, name: 'rows' })).data.latest_version, 2)
  assert.equal(
    Object.keys(
      got(await transit.exportKey({ mountPath, name: 'rows', type: 'encryption-key', version: '2' } as never)).data
        .keys,
    ).length,
    1,
  )

  await call('POST', 'transit/keys/payer', { type: 'ed25519' })
  const input = b64('pay')
  const { signature } = got(await transit.sign({ mountPath, name: 'payer', input })).data
  const { public_key } = (await call('GET', 'transit/keys/payer')).json.data.keys['1']
  assert.ok(verifyEd25519(public_key, 'pay', bytesOf(signature!)))
  const verified = got(
    await transit.verify({ mountPath, name: 'payer', algorithm: 'sha2-256', input, signature: signature! }),
  )
  assert.equal(verified.data.valid, true)
  const refused = await transit.sign({ mountPath, name: 'nobody', input })
  assert.match(String(refused.error), /signing key not found/)
  assert.equal(got(await vault.sealStatus()).sealed, false)
  assert.equal(got(await vault.health()).initialized, true)
})

test('Vault face: @solana/keychain-vault signs through it, and the signature is the key’s own', async () => {
  const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60' // RFC 8032 §7.1 test 1
  const { url, call } = await serve({
    seed: { version: 1, keys: [{ name: 'solana', type: 'ed25519', material: { hex: seed } }] },
  })
  const publicKey: string = (await call('GET', 'transit/keys/solana')).json.data.keys['1'].public_key
  assert.equal(
    Buffer.from(publicKey, 'base64').toString('hex'),
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  )
  const signer = new VaultSigner({
    vaultAddr: url,
    vaultToken: 'root',
    keyName: 'solana',
    publicKey: base58(Buffer.from(publicKey, 'base64')),
  })
  assert.equal(await signer.isAvailable(), true)
  const message = new TextEncoder().encode('a transfer')
  const [signatures] = await signer.signMessages([{ content: message, signatures: {} }])
  const [bytes] = Object.values(signatures as Record<string, Uint8Array>)
  assert.ok(verifyEd25519(publicKey, message, bytes!))
})

function base58(bytes: Uint8Array): string {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let out = ''
  for (; value > 0n; value /= 58n) out = alphabet[Number(value % 58n)] + out
  return out
}
