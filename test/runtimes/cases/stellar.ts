import { fromBase64, toBase64 } from '../../../src/bytes/base64.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { decide, defaultPolicy, demoPolicy, explain } from '../../../src/policy/index.ts'
import { devPublicKey } from '../../../providers/mock/index.ts'
import { type Cases, outcome } from '../report.ts'
import { asV0, BROKEN, ENVELOPES } from '../vectors.ts'
import { NOW } from '../world.ts'

const type = 'stellar-transaction'
const publicKey = devPublicKey('parity')

/** Everything the chain module and both policies say about one envelope. */
const look = (xdr: unknown, network = 'testnet'): Promise<unknown> =>
  outcome(() => {
    const parsed = stellar.parse({ type, xdr }, network)
    const { json, sentence } = stellar.describe(parsed)
    const facts = { now: NOW, keyAddress: stellar.address(publicKey), keyNetwork: network }
    return {
      json,
      sentence,
      view: parsed.view,
      toSign: stellar.toSign(parsed),
      hash: stellar.hash(parsed),
      signed: stellar.attach(parsed, publicKey, new Uint8Array(64).fill(9)),
      strict: decide(defaultPolicy(), parsed.view, facts),
      demo: explain(demoPolicy(), parsed.view, facts),
    }
  })

/** One byte of a good envelope changed: read the same way, or refused for the same reason. */
function mutants(): string[] {
  const good = fromBase64(ENVELOPES['two payments, memo, time bounds'] ?? '') ?? new Uint8Array()
  return Array.from({ length: 256 }, (_, i) => {
    const noise = sha256(new TextEncoder().encode(`mutant ${i}`))
    const bad = good.slice()
    const at = (((noise[0] ?? 0) << 8) | (noise[1] ?? 0)) % bad.length
    bad[at] = (bad[at] ?? 0) ^ (noise[2] ?? 1)
    return toBase64(bad)
  })
}

export const stellarCases: Cases = {
  ...Object.fromEntries(Object.entries(ENVELOPES).map(([name, xdr]) => [name, () => look(xdr)])),
  'payment as V0': () => look(toBase64(asV0(fromBase64(ENVELOPES['payment'] ?? '') ?? new Uint8Array()))),
  ...Object.fromEntries(Object.entries(BROKEN).map(([name, xdr]) => [`broken: ${name}`, () => look(xdr)])),
  'other networks': () =>
    Promise.all(
      ['public', 'local', 'custom:My Network', 'custom:', 'nowhere'].map(network =>
        look(ENVELOPES['payment'], network),
      ),
    ),
  '256 mutants': () => Promise.all(mutants().map(xdr => look(xdr))),
  'policy hashes': () => [defaultPolicy().hash, demoPolicy().hash],
}
