import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAddressList } from '../../../src/access/addresses.ts'
import { clientThumbprint, type IdentityForm } from '../../../src/access/proxy-identity.ts'
import { toBase64 } from '../../../src/bytes/base64.ts'
import { isSignerError } from '../../../src/domain/errors.ts'

const PROXIES = readAddressList(['10.0.0.1', 'unix'], 'proxies').list
const NAMES = {
  'client-cert': 'client-cert',
  xfcc: 'x-forwarded-client-cert',
  'sha256-hex': 'x-ssl-client-sha256',
} as const

/** The example certificate of RFC 9440 §A. */
const RFC_9440 =
  ':MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:'

function ask(form: IdentityForm, sent: string | readonly string[] | null, peer = '10.0.0.1'): string | undefined {
  try {
    const lookup = (name: string) => (name === NAMES[form] ? sent : null)
    return clientThumbprint(peer, lookup, { proxies: PROXIES, header: NAMES[form], form })
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'request/malformed', String(error))
    return `refused ${error.detail.field}`
  }
}

const der = Buffer.from(RFC_9440.slice(1, -1), 'base64')
/** As `openssl x509 -fingerprint -sha256` prints it. */
const HEX = 'bfaf1f7e070f9fa8dd62905f158da73f84a1136624fbafcc9393c8f7287a69eb'
const THUMBPRINT = Buffer.from(HEX, 'hex').toString('base64url')

test('proxy identity D17: the certificate of RFC 9440 gives its x5t#S256, from a listed proxy', () => {
  assert.equal(THUMBPRINT.length, 43)
  assert.equal(ask('client-cert', RFC_9440), THUMBPRINT)
  assert.equal(ask('client-cert', RFC_9440, 'unix'), THUMBPRINT)
  assert.equal(ask('client-cert', RFC_9440, '::ffff:10.0.0.1'), THUMBPRINT)
  assert.equal(ask('sha256-hex', HEX), THUMBPRINT)
  assert.equal(ask('sha256-hex', HEX.toUpperCase()), THUMBPRINT)
  assert.equal(ask('xfcc', `By=spiffe://a/b;Hash=${HEX};Subject="CN=a\\"b,O=c;d";URI=spiffe://c/d`), THUMBPRINT)
})

test('proxy identity D17: from anybody else the header is not looked at', () => {
  for (const peer of ['10.0.0.2', '127.0.0.1', '::1', 'unknown', '2001:db8::1'])
    for (const form of ['client-cert', 'xfcc', 'sha256-hex'] as const)
      for (const sent of [RFC_9440, HEX, `Hash=${HEX}`, 'rubbish', null]) assert.equal(ask(form, sent, peer), undefined)
  assert.equal(
    clientThumbprint('10.0.0.1', () => RFC_9440),
    undefined,
  )
})

test('proxy identity D17: no certificate is no identity', () => {
  for (const form of ['client-cert', 'xfcc', 'sha256-hex'] as const)
    for (const sent of [null, '', ' ', []]) assert.equal(ask(form, sent), undefined)
})

test('proxy identity D17: what a listed proxy sends must be one certificate in its form', () => {
  const sequence = (...octets: number[]) => `:${toBase64(Uint8Array.from(octets))}:`
  const refused: Readonly<Record<IdentityForm, readonly (string | readonly string[])[]>> = {
    'client-cert': [
      ...[RFC_9440.slice(1), RFC_9440.slice(0, -1), ':', '::', `${RFC_9440}, ${RFC_9440}`, [RFC_9440, RFC_9440]],
      ...[
        `${RFC_9440};a=1`,
        RFC_9440.replace('/', '_'),
        RFC_9440.replace('=', ''),
        `: ${RFC_9440.slice(1)}`,
        HEX,
        '?1',
      ],
      ...[sequence(0x30), sequence(0x30, 0), sequence(0x31, 1, 0), sequence(0x30, 2, 0), sequence(0x30, 1, 0, 0)],
      ...[
        sequence(0x30, 0x80, 0, 0),
        sequence(0x30, 0x81, 1, 0),
        sequence(0x30, 0x82, 0, 1, 0),
        sequence(0x30, 0x84, 0, 0, 0, 1, 0),
      ],
      `:${toBase64(new Uint8Array([...der, 0]))}:`,
      `:${toBase64(der.subarray(0, -1))}:`,
      `:${'A'.repeat(20_000)}:`,
    ],
    xfcc: [
      ...[
        `Hash=${HEX},Hash=${HEX}`,
        `Hash=${HEX};Hash=${HEX}`,
        `Hash=${HEX};hash=${HEX}`,
        `Hash=${HEX.slice(1)}`,
        'By=x',
      ],
      ...[
        `Hash="${HEX}"`,
        `Hash=${HEX};`,
        `;Hash=${HEX}`,
        `Hash=${HEX};Subject="`,
        `Hash=${HEX};Subject="\\`,
        HEX,
        '=x',
        ',',
      ],
      ...[
        [`Hash=${HEX}`, `Hash=${HEX}`],
        `Subject="CN=a;Hash=${HEX}"`,
        `By=a,Hash=${HEX}`,
        `Hash=${HEX};Subject="a\\";x`,
      ],
    ],
    'sha256-hex': [
      ...[
        HEX.slice(2),
        `${HEX}00`,
        `0x${HEX.slice(2)}`,
        `${HEX}, ${HEX}`,
        [HEX, HEX],
        HEX.replace(/.$/, 'g'),
        THUMBPRINT,
      ],
      ...[HEX.replace(/[a-f]/, 'F').replace(/[a-f]$/, 'a'), HEX.replaceAll(/(..)(?=.)/g, '$1:')],
    ],
  }
  for (const [form, texts] of Object.entries(refused))
    for (const text of texts)
      assert.equal(ask(form as IdentityForm, text), `refused ${NAMES[form as IdentityForm]}`, `${form} ${String(text)}`)
})
