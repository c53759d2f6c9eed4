/** Shown by 5: the binary as a plugin of stellar-cli, alone in a folder, found by its link on PATH. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keypair, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { buildInto, REAL_ENTRY, ROOT, start, type Started, temporary } from './support.ts'

const TESTNET = 'Test SDF Network ; September 2015'
const XDR = join(ROOT, 'examples/payment.xdr')

const home = temporary('plugin')
const bin = join(home.path, 'bin')
let service: Started
let env: Record<string, string>
let address: string

beforeAll(async () => {
  const made = temporary('made')
  mkdirSync(bin)
  copyFileSync(buildInto(made.path, REAL_ENTRY).path, join(bin, 'countersign'))
  made.remove()
  service = start([join(bin, 'countersign'), 'dev', '--json', '--port', '0'], { cwd: home.path, limitMs: 60_000 })
  const ready = await service.line(value => value['ready'] === true)
  const keys = ready['keys'] as readonly { readonly name: string; readonly address: string }[]
  address = keys.find(({ name }) => name === 'demo-stellar')?.address ?? ''
  env = {
    COUNTERSIGN_URL: String(ready['dataUrl']),
    COUNTERSIGN_TOKEN: String(ready['token']),
    PATH: `${bin}:/usr/bin:/bin`,
    HOME: home.path,
  }
})
afterAll(async () => {
  service.kill('SIGTERM')
  await service.ended
  home.remove()
})

/** As a user types it. */
function shell(line: string, more: Record<string, string> = {}) {
  const { stdout, stderr, status } = spawnSync('/bin/sh', ['-c', line], {
    cwd: home.path,
    env: { ...env, ...more },
    encoding: 'utf8',
    timeout: 30_000,
  })
  return { stdout, stderr, status }
}

function verified(envelope: string): boolean {
  const transaction = TransactionBuilder.fromXdr(envelope, TESTNET)
  const [only] = transaction.signatures
  return Keypair.fromPublicKey(address).verify(transaction.hash(), Buffer.from(only?.signature.toBytes() ?? []))
}

describe('Shown by 5: the binary answers as stellar-countersign', () => {
  test('install makes the link once, and touches no other file', () => {
    const link = join(bin, 'stellar-countersign')
    expect(shell('countersign stellar install')).toEqual({ stdout: `${link}\n`, stderr: '', status: 0 })
    expect(readlinkSync(link)).toBe(join(bin, 'countersign'))
    expect(shell('countersign stellar install')).toMatchObject({ stdout: `${link}\n`, status: 0 })
    const other = join(home.path, 'other')
    mkdirSync(other)
    writeFileSync(join(other, 'stellar-countersign'), 'somebody else')
    const refused = shell(`countersign stellar install --dir ${other}`)
    expect([refused.stdout, refused.status]).toEqual(['', 2])
    expect(readFileSync(join(other, 'stellar-countersign'), 'utf8')).toBe('somebody else')
    expect(lstatSync(join(other, 'stellar-countersign')).isSymbolicLink()).toBe(false)
    expect(shell('countersign stellar install --dir ./not-there').status).toBe(2)
    const fresh = join(home.path, 'fresh')
    mkdirSync(fresh)
    expect(shell('countersign stellar install --dir fresh').stderr).toContain('not on PATH')
    expect(shell('fresh/stellar-countersign --version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  // What stellar-cli does with `stellar countersign sign`: it looks for `stellar-countersign` and starts it with the rest.
  const STELLAR = '#!/bin/sh\nname=$1; shift; exec "stellar-$name" "$@"\n'
  const WAYS: readonly (readonly [string, string])[] = [
    ['from stdin', `cat ${XDR} | stellar-countersign sign --key demo-stellar`],
    ['from a file', `stellar-countersign sign --key demo-stellar ${XDR}`],
    ['as an argument', `stellar-countersign sign --key demo-stellar "$(cat ${XDR})"`],
    ['as a sub-command', `cat ${XDR} | countersign stellar sign --key demo-stellar`],
    ['started by another program', `cat ${XDR} | stellar countersign sign --key demo-stellar`],
  ]
  test.each(WAYS)('%s: the envelope alone on stdout, which stellar-sdk verifies', (_, line) => {
    writeFileSync(join(bin, 'stellar'), STELLAR)
    chmodSync(join(bin, 'stellar'), 0o755)
    const { stdout, stderr, status } = shell(line)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^AAAA[A-Za-z0-9+/]+={0,2}\n$/)
    expect(verified(stdout.trim())).toBe(true)
  })

  test('a network that is not the key’s: exit 2, nothing on stdout', () => {
    const { stdout, stderr, status } = shell(`stellar-countersign sign --key demo-stellar ${XDR}`, {
      STELLAR_NETWORK: 'mainnet',
    })
    expect([stdout, status]).toEqual(['', 2])
    expect(stderr).toContain('Public Global Stellar Network')
    expect(shell(`stellar-countersign sign --key demo-stellar ${XDR}`, { STELLAR_NETWORK: 'testnet' }).status).toBe(0)
  })
})
