/** T40: signatures are made and checked by the audited libraries alone. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { modules, packageOf, ROOT } from './modules.ts'

/** Known for nonces, types or malleability (GHSA-vjh7-7g9h-fjfh, CVE-2025-14505, RUSTSEC-2022-0093), or kept up by nobody. */
const WEAK = ['elliptic', 'jsrsasign', 'node-forge', 'secp256k1', 'tiny-secp256k1', 'ed25519', 'jsonwebtoken', 'sjcl']

const installed = (lock: string): readonly string[] =>
  [...lock.matchAll(/^ {4}"([^"]+)": \["((?:@[^/"]+\/)?[^@"]+)@/gm)].map(([, , name = '']) => name)

test('T40 no library that is weak at signatures is in the graph, not even for tests', () => {
  const packages = installed(readFileSync(join(ROOT, 'bun.lock'), 'utf8'))
  expect(packages.length).toBeGreaterThan(100)
  expect(packages).toContain('@noble/curves')
  expect(packages.filter(name => WEAK.includes(name))).toEqual([])
})

test('T40 curves come from noble, libsodium and the platform: nothing else is imported for them', () => {
  const names = modules('src', 'providers').flatMap(({ imports }) =>
    imports.map(({ specifier }) => packageOf(specifier)),
  )
  const curves = [...new Set(names)].filter(name => /curve|secp|ed25519|sodium|ecdsa/.test(name))
  expect(curves.toSorted()).toEqual(['@noble/curves', 'libsodium'])
})
