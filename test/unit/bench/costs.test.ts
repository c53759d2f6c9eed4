/** M-77: the table of prices and ceilings follows from the published figures. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { costOf, costPage, WAYS } from '../../../bench/costs.ts'

const find = (provider: string, custody: string, curve: string, key?: string) => {
  const way = WAYS.find(
    each =>
      each.provider === provider &&
      each.custody === custody &&
      each.curve === curve &&
      (key === undefined || each.key === key),
  )
  assert.ok(way, `${provider} ${custody} ${curve}`)
  return costOf(way)
}
const month = (cost: ReturnType<typeof costOf>, rate: number) => cost.month.find(each => each.rate === rate)?.amount

test('M-77 AWS native at 100 signatures a second costs what the price list says: 259.2 million calls', () => {
  const cost = find('aws-kms', 'native', 'ed25519')
  assert.equal(cost.per10k, 150_000)
  assert.equal(month(cost, 100), 3_889_000_000) // $3,888 and $1 for the key
})

test('M-77 decrypt on AWS costs a fifth of native', () => {
  const [native, decrypt] = [find('aws-kms', 'native', 'secp256k1'), find('aws-kms', 'decrypt', 'either')]
  assert.equal((native.per10k ?? 0) / (decrypt.per10k ?? 1), 5)
})

test('M-77 Google lets 11 HSM signatures through a second: 100 are over its limit, and no price is made up', () => {
  const cost = find('gcp-kms', 'native', 'secp256k1')
  assert.equal(cost.way.ceiling?.value.perSecond.toFixed(2), '11.11')
  assert.equal(month(cost, 100), 'over')
  assert.equal(month(cost, 10), 10 * 2_592_000 * 15 + 2_500_000)
  assert.equal(find('gcp-kms', 'native', 'ed25519').way.ceiling?.value.perSecond, 1_000)
  assert.equal(find('gcp-kms', 'decrypt', 'either', 'HSM').way.ceiling?.value.perSecond, 500)
})

test('M-77 what an operator runs has no price by call', () => {
  for (const custody of ['native', 'decrypt']) {
    const cost = find('vault-transit', custody, custody === 'native' ? 'ed25519' : 'either')
    assert.equal(cost.per10k, undefined)
    assert.equal(month(cost, 1), undefined)
  }
  assert.ok(!WAYS.some(way => way.provider === 'vault-transit' && way.curve === 'secp256k1'))
})

test('M-77 every figure names its source, and the page has a line for every way', () => {
  for (const { price, ceiling } of WAYS)
    for (const fact of [price, ceiling]) if (fact !== undefined) assert.match(fact.source, /^https:\/\//)
  const page = costPage()
  assert.equal(page.split('\n').filter(line => line.startsWith('| ')).length, WAYS.length + 2)
  assert.ok(page.includes('$3,889.00'))
})

test('docs/costs.md is the page of this version (bun scripts/docs.ts writes it)', () => {
  assert.equal(readFileSync(new URL('../../../docs/costs.md', import.meta.url), 'utf8'), costPage())
})
