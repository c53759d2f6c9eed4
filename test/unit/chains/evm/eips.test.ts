/** Published examples: the EIPs, transactions that stand on test networks (ethereum/execution-apis, CC0), documentation of viem. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keccak256, recoverAddress } from 'viem'
import {
  ask,
  alice,
  askTransaction,
  askTypedData,
  askUnsigned,
  attached,
  cow,
  type Fields,
  signatory,
} from './samples.ts'

test('M-30 EIP-155: the example, by its bytes and by its fields', () => {
  const unsigned = '0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080'
  const signed =
    '0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0' +
    '28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a0' +
    '67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83'
  const fields = {
    chainId: '0x1',
    nonce: '0x9',
    gasPrice: '0x4a817c800',
    gas: '0x5208',
    to: `0x${'35'.repeat(20)}`,
    value: '0xde0b6b3a7640000',
  }
  for (const asked of [askUnsigned(unsigned), askTransaction(fields)]) {
    assert.equal(asked.hash, 'daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53')
    const made = attached(asked, alice)
    assert.equal(made.signedTransaction, signed)
    assert.equal(made.evmSignature?.length, 132)
    assert.ok(made.evmSignature?.endsWith('1b'))
  }
})

/** As `eth_getTransactionByHash` answers. */
const ON_CHAIN: Readonly<Record<string, Fields & { hash: string; from: string; r: string; s: string; v: string }>> = {
  'type 0 (EIP-155)': {
    type: '0x0',
    chainId: '0x539',
    nonce: '0x3',
    gasPrice: '0x232117a0',
    gas: '0xea60',
    to: '0x0000000000000000000000000000000000031ec7',
    value: '0x0',
    input:
      '0xa9059cbb0000000000000000000000000000000000000000000000000000000000000004000000000000000000000000000000000000000000000000000000000000000e',
    from: '0x658bdf435d810c91414ec09147daa6db62406379',
    hash: '0x494fff04a69d7d4e04cf2d665c950846069abf8d4dad45b65a8af2589686ad2c',
    v: '0xa95',
    r: '0x6cabbe89b29206efcae68fade44e4984fb03ecf58a02c3bf07c9b6811917b4a',
    s: '0x369b8f5ef998f2905f2a5ac6ab10479903bf77af9f4d64a24da66e01149b45d8',
  },
  'type 1 (EIP-2930)': {
    type: '0x1',
    chainId: '0xc72dd9d5e883e',
    nonce: '0x4e',
    gasPrice: '0x1',
    gas: '0x186a0',
    to: '0x7dcd17433742f4c0ca53122ab541d0ba67fc27df',
    value: '0x2',
    input: '0x0e394e7c8a2b32c9656d6974',
    accessList: [
      {
        address: '0x7dcd17433742f4c0ca53122ab541d0ba67fc27df',
        storageKeys: [`0x${'0'.repeat(64)}`, '0x95104e47e1982aba633477f377b1511396c3fe83600224bcb0c78949be705b33'],
      },
    ],
    from: '0x7435ed30a8b4aeb0877cef0c6e8cffe834eb865f',
    hash: '0xd82374da698cfacbf4bb58d7ab8444621517e2137c08b859c66e50e8927c7af6',
    v: '0x1',
    r: '0x6ecd9ea7e1958288a3a822eb9c22662c30a7696e364d5b219a164bafd9bc58d8',
    s: '0x3fc5322f888fabe456b29bb2b0e829482d728500678627f564ee3aff184428c2',
  },
  'type 2 (EIP-1559)': {
    type: '0x2',
    chainId: '0x539',
    nonce: '0x4',
    maxFeePerGas: '0x1ec7cd47',
    maxPriorityFeePerGas: '0x1f4',
    gas: '0xea60',
    to: '0x0000000000000000000000000000000000031ec7',
    value: '0x1',
    input:
      '0xa9059cbb0000000000000000000000000000000000000000000000000000000000000005000000000000000000000000000000000000000000000000000000000000000f',
    accessList: [],
    from: '0x658bdf435d810c91414ec09147daa6db62406379',
    hash: '0x54b25c11650dca0253ef7b91b5415680eea8dac54b029863e12db48908ad386c',
    v: '0x1',
    r: '0xf78ac25d29e299b67e858b64ba54ca7f10e60714a0396277df4ce1727f5f8f73',
    s: '0x70bd40bbe85508ce983b1414293fec37a1115c63d3778a9e41789eb53b44ed77',
  },
  'type 3 (EIP-4844)': {
    type: '0x3',
    chainId: '0xc72dd9d5e883e',
    nonce: '0x8',
    maxFeePerGas: '0x281d620e',
    maxPriorityFeePerGas: '0x1',
    maxFeePerBlobGas: '0x20000',
    gas: '0x186a0',
    to: '0x7dcd17433742f4c0ca53122ab541d0ba67fc27df',
    value: '0x3',
    input: '0xdc4c8669df128318656d6974',
    accessList: [
      {
        address: '0x7dcd17433742f4c0ca53122ab541d0ba67fc27df',
        storageKeys: [`0x${'0'.repeat(64)}`, '0x462708a3c1cd03b21605715d090136df64e227f7e7792f74bb1bd7a8288f8801'],
      },
    ],
    blobVersionedHashes: ['0x015a4cab4911426699ed34483de6640cf55a568afc5c5edffdcbd8bcd4452f68'],
    from: '0x7435ed30a8b4aeb0877cef0c6e8cffe834eb865f',
    hash: '0xb0ebf0d8fca6724d5111d0be9ac61f0e7bf174208e0fafcb653f337c72465b83',
    v: '0x0',
    r: '0x478385a47075dd6ba56300b623038052a6e4bb03f8cfc53f367712f1c1d3e7de',
    s: '0x2f79ed9b154b0af2c97ddfc1f4f76e6c17725713b6d44ea922ca4c6bbc20775c',
  },
  'type 4 (EIP-7702)': {
    type: '0x4',
    chainId: '0xc72dd9d5e883e',
    nonce: '0x9b',
    maxFeePerGas: '0x56a6c99',
    maxPriorityFeePerGas: '0x1',
    gas: '0xb3b0',
    to: '0x0000000000000000000000000000000000000000',
    value: '0x0',
    input: '0x',
    accessList: [],
    authorizationList: [
      {
        chainId: '0xc72dd9d5e883e',
        address: '0x58f8fe237b593c19546e1e758a2544561d04bfe0',
        nonce: '0x0',
        yParity: '0x1',
        r: '0xec6caeb1b7071f1b3ae36aeaa7bf0eaecb8e006e83b3e50d792870ea95af4c59',
        s: '0x1d1225f76d6faac3d904c0635193e83d3867c101b2e6f6c9bb7b1fdeeed923ab',
      },
    ],
    from: '0x7435ed30a8b4aeb0877cef0c6e8cffe834eb865f',
    hash: '0x52936c0771a21d9835c6948bc04f7cb42bb5d4cbd88e4a31abd2673511173c68',
    v: '0x0',
    r: '0xbf57deff928f4f83c5b92e010248d56d2ae2d8211457edba656373b7713ff023',
    s: '0x39bca6db7b6eb369f77068a9bff27ffaf88ade3ae1534d6c6d660e478087d1fe',
  },
}

for (const [name, { hash, r, s, v, ...fields }] of Object.entries(ON_CHAIN)) {
  test(`M-30 ${name}: a transaction that a network took has this hash, and this sender signed ours`, async () => {
    const { secp256k1 } = await import('@noble/curves/secp256k1.js')
    const { checksummed } = await import('../../../../src/bytes/evm-address.ts')
    const { bytes, hex } = await import('./samples.ts')
    const from = checksummed(bytes(fields.from))
    const asked = askTransaction(fields, signatory(BigInt(String(fields['chainId'])), from))
    const signature = bytes([r, s].map(part => part.slice(2).padStart(64, '0')).join(''))
    const parity = BigInt(v) > 1n ? Number((BigInt(v) - 35n) % 2n) : Number(v)
    const whole = hex(signature) + (27 + parity).toString(16)
    assert.equal(await recoverAddress({ hash: `0x${asked.hash}`, signature: whole as `0x${string}` }), from)
    const recovered = secp256k1.Signature.fromBytes(signature, 'compact').addRecoveryBit(parity)
    const made = asked.attach(recovered.recoverPublicKey(bytes(asked.hash)).toBytes(false), signature)
    assert.equal(keccak256(made.signedTransaction as `0x${string}`), hash)
    assert.equal(made.evmSignature, whole)
  })
}

test('M-30 EIP-7702: authorizations have the published hashes, and come back signed', async () => {
  const known = [
    [
      '0xB91aaa96B138A1B1D94c9df4628187132c5F2bf1',
      '0x1',
      '3ae543b2fa103a39a6985d964a67caed05f6b9bb2430ad6d498cda743fe911d9',
    ],
  ] as const
  for (const [address, nonce, hash] of known) {
    const asked = ask({ type: 'evm-authorization', authorization: { chainId: '0x1', address, nonce } })
    assert.equal(asked.hash, hash)
    const { signedAuthorization = {}, evmSignature } = attached(asked, alice)
    assert.deepEqual(Object.keys(signedAuthorization), ['chainId', 'address', 'nonce', 'yParity', 'r', 's'])
    assert.equal(await recoverAddress({ hash: `0x${hash}`, signature: evmSignature as `0x${string}` }), alice.address)
  }
  // The one of the transaction above: its account is what its signature recovers to.
  const { authorizationList: [tuple] = [] } = ON_CHAIN['type 4 (EIP-7702)'] as { authorizationList?: Fields[] }
  const { chainId, address, nonce } = tuple ?? {}
  const own = ask(
    { type: 'evm-authorization', authorization: { chainId, address, nonce } },
    signatory(0xc72dd9d5e883en),
  )
  const signer = await recoverAddress({
    hash: `0x${own.hash}`,
    signature: { r: tuple?.['r'] as `0x${string}`, s: tuple?.['s'] as `0x${string}`, yParity: 1 },
  })
  const told = askTransaction(
    Object.fromEntries(
      Object.entries(ON_CHAIN['type 4 (EIP-7702)'] ?? {}).filter(
        ([name]) => !'hash v r s from'.split(' ').includes(name),
      ),
    ),
    signatory(0xc72dd9d5e883en),
  ).describe()
  assert.match(told.sentences[1] ?? '', new RegExp(`^${signer} hands itself over to the code at 0x58f8`, 'i'))
})

test('M-30 EIP-191: the message of the documentation, as text and as bytes', () => {
  const hash = 'd9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68' // "hello world" of viem and ethers
  assert.equal(ask({ type: 'evm-message', message: 'hello world' }).hash, hash)
  assert.equal(ask({ type: 'evm-message', hex: '0x68656c6c6f20776f726c64' }).hash, hash)
})

test('M-30 EIP-712: the example of the standard, signed by its key', () => {
  const asked = askTypedData(
    {
      types: {
        EIP712Domain: [
          { name: 'name', type: 'string' },
          { name: 'version', type: 'string' },
          { name: 'chainId', type: 'uint256' },
          { name: 'verifyingContract', type: 'address' },
        ],
        Person: [
          { name: 'name', type: 'string' },
          { name: 'wallet', type: 'address' },
        ],
        Mail: [
          { name: 'from', type: 'Person' },
          { name: 'to', type: 'Person' },
          { name: 'contents', type: 'string' },
        ],
      },
      primaryType: 'Mail',
      domain: {
        name: 'Ether Mail',
        version: '1',
        chainId: 1,
        verifyingContract: '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC',
      },
      message: {
        from: { name: 'Cow', wallet: '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826' },
        to: { name: 'Bob', wallet: '0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB' },
        contents: 'Hello, Bob!',
      },
    },
    signatory(1n, cow.address),
  )
  assert.equal(cow.address, '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826')
  assert.equal(asked.hash, 'be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2')
  assert.equal(
    attached(asked, cow).evmSignature,
    '0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c',
  )
})
