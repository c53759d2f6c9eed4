/** How each fault of the table is brought about, on each transport, for each call. */
import type { Fault } from '../../local-kms/index.ts'
import type { Fetch } from '../../src/domain/ports.ts'
import { EXPIRED, SELF_SIGNED, TLS_KEY, WRONG_NAME } from '../support/bad-certificates.ts'
import * as answers from './answers.ts'
import { NAME_DIFFERS, OF_ANOTHER_VERSION, pkcs8 } from './lies.ts'
import { bare, flood, type Manner, stranger, throttledFor } from './http2-strangers.ts'
import { type Break, type FaultProxy, faultProxy, tlsDoor } from './proxy.ts'
import { type CallName, ENVELOPE_SEED, type Remote, STRANGER_PUBLIC, STRANGER_SEED, type Who } from './remotes.ts'

export interface Stage {
  readonly remote: Remote
  readonly call: CallName
  readonly proxy: FaultProxy
}

export interface Broken {
  /** Where the provider is pointed at, instead of the proxy. */
  readonly endpoint?: string
  readonly who?: Who
  readonly fetch?: Fetch
  /** A good call comes first, so that the connection has been in use. */
  readonly warm?: true
  /** Requests that came to where `endpoint` points. */
  requests?(): number
  arm?(): Promise<void> | void
  /** The fault is gone; what it needed is closed. */
  mend?(): Promise<void> | void
  /** What must hold as well, once the call is over. */
  also?(): string | undefined
}

type Make = (stage: Stage) => Broken | Promise<Broken>

const wire =
  (at: Break['at'], does: Break['does'], warm?: true): Make =>
  ({ proxy }) => ({
    ...(warm && { warm }),
    arm: () => void (proxy.wire = { at, does }),
    mend: () => void (proxy.wire = undefined),
  })

/** A rule of local-kms for the operation behind the call. */
const rule =
  (faultOf: (stage: Stage) => Fault, times = 0): Make =>
  stage => ({
    arm: () => {
      const { remote, call } = stage
      remote.kms.addFaults({ operation: remote.operations[call], times, fault: faultOf(stage) })
    },
    mend: () => stage.remote.kms.clearFaults(),
  })

const grpcElse =
  (grpc: Make, others: Make): Make =>
  stage =>
    stage.remote.transport === 'gcp-grpc' ? grpc(stage) : others(stage)

/** In front of a gRPC client stands something that answers like this. */
const instead =
  (manner: Manner): Make =>
  async () => {
    const server = await stranger(manner)
    return { endpoint: server.url, requests: () => server.requests, mend: () => server.close() }
  }

const error = (name: string, message?: string, status?: number): Fault => ({
  kind: 'error',
  name,
  ...(message === undefined ? {} : { message }),
  ...(status === undefined ? {} : { status }),
})

const byFace =
  (table: Readonly<Record<'aws' | 'vault' | 'gcp', Fault>>) =>
  ({ remote }: Stage): Fault =>
    table[remote.face]

/** An answer that is true but for some members. */
const replace = (membersOf: (stage: Stage) => answers.Members): Make =>
  rule(stage => ({ kind: 'replace', members: membersOf(stage) }))

/** One lie for each call. */
const lies = (table: Readonly<Record<CallName, (remote: Remote) => answers.Members>>): Make =>
  replace(({ remote, call }) => table[call](remote))

const bad =
  (cert: string): Make =>
  async ({ remote }) => {
    const door = await tlsDoor({ key: TLS_KEY, cert }, remote.target)
    return {
      endpoint: `https://127.0.0.1:${door.port}`,
      requests: () => 0,
      also: () => (door.bytesIn() === 0 ? undefined : `${door.bytesIn()} bytes went to a server nobody trusts`),
      mend: () => door.close(),
    }
  }

/** TLS that the client trusts, with a bit of the answer's record inverted on its way: its MAC is the only checksum there is. */
const damagedTls: Make = async ({ remote }) => {
  let armed = false
  const door = await tlsDoor({ key: TLS_KEY, cert: SELF_SIGNED }, remote.target, () => {
    if (armed) line.damageNext()
  })
  const line = await faultProxy(`127.0.0.1:${door.port}`, 'raw', 'https')
  const fetch: Fetch = (url, init) => globalThis.fetch(url, { ...init, tls: { ca: SELF_SIGNED } } as RequestInit)
  let requests = 0
  return {
    endpoint: line.url,
    fetch: (url, init) => {
      requests++
      return fetch(url, init)
    },
    requests: () => requests,
    arm: () => void (armed = true),
    mend: async () => {
      await line.close()
      await door.close()
    },
  }
}

const redirect = (status: number): Make =>
  grpcElse(
    async stage => {
      const before = stage.remote.elsewhere.bytesIn()
      return {
        ...(await instead(bare(status, { location: stage.remote.elsewhere.url }))(stage)),
        also: () => nothingElsewhere(stage, before),
      }
    },
    async stage => {
      const before = stage.remote.elsewhere.bytesIn()
      const location = `${stage.remote.elsewhere.url}/v1/there`
      const broken = await rule(() => ({ kind: 'redirect', location, status }))(stage)
      return { ...broken, also: () => nothingElsewhere(stage, before) }
    },
  )

const nothingElsewhere = ({ remote }: Stage, before: number): string | undefined =>
  remote.elsewhere.bytesIn() === before ? undefined : 'the redirect was followed'

const as =
  (who: Who): Make =>
  () => ({ who })

const keyOf = ({ remote, call }: Stage): string => (call === 'decrypt' ? remote.keys.wrapping : remote.keys.native)

const keyState =
  (states: Readonly<Record<'aws' | 'vault' | 'gcp', readonly [bad: string, good: string]>>): Make =>
  stage => {
    const { kms, face } = stage.remote
    const key = face === 'vault' ? (keyOf(stage).split('@')[0] ?? '') : keyOf(stage)
    const set = (state: string): void => kms.setKeyState(key, state, face)
    return { arm: () => set(states[face][0]), mend: () => set(states[face][1]) }
  }

const serverState =
  (state: string): Make =>
  stage => {
    const { kms, elsewhere } = stage.remote
    const before = elsewhere.bytesIn()
    return {
      arm: () => kms.setServerState(state, 'vault'),
      mend: () => kms.setServerState('active', 'vault'),
      also: () => nothingElsewhere(stage, before),
    }
  }

const THROTTLED = byFace({
  aws: error('ThrottlingException'),
  vault: error('rate limit'),
  gcp: error('RESOURCE_EXHAUSTED'),
})

const ecdsaAnswer = (der: () => Uint8Array): Make => replace(({ remote }) => answers.signatureMembers(remote, der()))

export const BREAKS = {
  throttled: rule(THROTTLED),
  'throttled, Retry-After': grpcElse(instead(throttledFor(2)), async stage => {
    const throttled = await rule(THROTTLED)(stage)
    return {
      arm: () => {
        stage.proxy.header = 'retry-after: 2'
        return throttled.arm?.()
      },
      mend: () => {
        stage.proxy.header = undefined
        return throttled.mend?.()
      },
    }
  }),
  'the service says 500': rule(
    byFace({ aws: error('KMSInternalException'), vault: error('internal error'), gcp: error('INTERNAL') }),
  ),
  'bare 502': grpcElse(
    instead(bare(502)),
    rule(() => ({ kind: 'status', status: 502, body: '<html>' })),
  ),
  'bare 503': grpcElse(
    instead(bare(503)),
    rule(() => ({ kind: 'status', status: 503, body: '<html>' })),
  ),
  'bare 504': grpcElse(
    instead(bare(504)),
    rule(() => ({ kind: 'status', status: 504, body: '<html>' })),
  ),
  '503 once': rule(() => ({ kind: 'status', status: 503 }), 1),
  'nobody listens': ({ proxy }) => ({ arm: () => proxy.refuse(), mend: () => proxy.listenAgain() }),
  'reset on connect': wire('accept', 'reset'),
  'no such name': () => ({ endpoint: 'https://kms.invalid', requests: () => 0 }),
  'self-signed': bad(SELF_SIGNED),
  'expired certificate': bad(EXPIRED),
  'wrong name': bad(WRONG_NAME),
  'reset at the first byte': async ({ remote }) => {
    const door = await faultProxy(remote.target, 'raw', 'https')
    door.wire = { at: 'accept', does: 'reset' }
    return { endpoint: door.url, requests: () => 0, mend: () => door.close() }
  },
  'silence after accept': wire('accept', 'hang'),
  'silence after the request': rule(() => ({ kind: 'hang', when: 'after' })),
  'reset after the request': wire('request', 'reset'),
  'reset after the request, connection in use': wire('request', 'reset', true),
  'reset in the head': wire('head', 'reset'),
  'end in the head': wire('head', 'end'),
  'reset in the body': wire('body', 'reset'),
  'end in the body': wire('body', 'end'),
  '1 byte a second': wire('request', 'drip'),
  'half of the text': rule(() => ({ kind: 'truncated-json' })),
  '100 MB': grpcElse(
    instead(flood),
    rule(() => ({ kind: 'oversized-body', bytes: 100_000_000 })),
  ),
  'text/html': grpcElse(
    instead(bare(200, { 'content-type': 'text/html' }, '<!DOCTYPE html><title>Sign in</title>')),
    rule(() => ({ kind: 'content-type', value: 'text/html' })),
  ),
  '307': redirect(307),
  '302': redirect(302),
  'members twice': rule(({ remote, call }) => ({
    kind: 'duplicate-json-keys',
    second: {
      sign: answers.signatureMembers(remote, answers.STRANGER_SIGNATURE),
      decrypt: answers.plaintextMembers(remote, STRANGER_SEED),
      'public key': answers.publicKeyMembers(remote, STRANGER_PUBLIC),
    }[call],
  })),
  'one bit off': lies({
    sign: remote => answers.signatureMembers(remote, answers.oneBitOff(answers.SIGNATURE)),
    decrypt: remote => answers.plaintextMembers(remote, answers.oneBitOff(ENVELOPE_SEED)),
    'public key': remote => answers.publicKeyMembers(remote, answers.publicKeyOneBitOff()),
  }),
  'of another key': lies({
    sign: remote => answers.signatureMembers(remote, answers.STRANGER_SIGNATURE),
    decrypt: remote => answers.plaintextMembers(remote, STRANGER_SEED),
    'public key': remote => answers.publicKeyMembers(remote, STRANGER_PUBLIC),
  }),
  'of another version': stage =>
    stage.remote.face === 'gcp' && stage.call === 'decrypt'
      ? rule(() => error('INVALID_ARGUMENT', 'Decryption failed: the ciphertext is invalid.'))(stage)
      : lies(OF_ANOTHER_VERSION)(stage),
  'S + L': lies({
    sign: remote => answers.signatureMembers(remote, answers.plusOrder(answers.SIGNATURE)),
    decrypt: () => ({}),
    'public key': () => ({}),
  }),
  short: lies({
    sign: remote => answers.signatureMembers(remote, answers.SIGNATURE.slice(0, 63)),
    decrypt: remote => answers.plaintextMembers(remote, ENVELOPE_SEED.slice(0, 31)),
    'public key': remote => answers.publicKeyMembers(remote, STRANGER_PUBLIC.slice(0, 31)),
  }),
  BER: lies({
    sign: remote => answers.signatureMembers(remote, answers.ber(Uint8Array.from([4, 64, ...answers.SIGNATURE]))),
    decrypt: remote => answers.plaintextMembers(remote, answers.ber(pkcs8(ENVELOPE_SEED))),
    'public key': remote =>
      answers.publicKeyMembers(remote, answers.spkiOf(STRANGER_PUBLIC), answers.ber(answers.spkiOf(STRANGER_PUBLIC))),
  }),
  'secp256k1 high s': ecdsaAnswer(answers.ecdsaHighS),
  'secp256k1 short integer': ecdsaAnswer(answers.ecdsaShort),
  'secp256k1 BER': ecdsaAnswer(() => answers.ber(answers.ecdsaDer())),
  'checksum does not fit': rule(() => ({ kind: 'flip-bit', crc: 'keep' })),
  'bit off below TLS': damagedTls,
  'not verified': stage =>
    stage.call === 'decrypt'
      ? rule(() => error('INVALID_ARGUMENT', 'The checksum in field ciphertext_crc32c did not match the data.'))(stage)
      : lies({
          sign: () => ({ verifiedDataCrc32c: false }),
          decrypt: () => ({}),
          'public key': () => ({ pemCrc32c: null }),
        })(stage),
  'name differs': lies(NAME_DIFFERS),
  expired: as('expired'),
  rotated: as('rotated'),
  'clock skew': stage =>
    stage.remote.face === 'vault'
      ? as('early')(stage)
      : rule(
          byFace({
            aws: error(
              'InvalidSignatureException',
              'Signature expired: 20260101T000000Z is now earlier than 20260101T000600Z',
            ),
            vault: error('unused'),
            gcp: error('UNAUTHENTICATED', 'Invalid JWT: token must be in a reasonable timeframe'),
          }),
        )(stage),
  'no rights': as('powerless'),
  disabled: keyState({ aws: ['Disabled', 'Enabled'], vault: ['soft-deleted', 'active'], gcp: ['DISABLED', 'ENABLED'] }),
  'pending deletion': stage =>
    stage.remote.face === 'aws'
      ? rule(() => error('KMSInvalidStateException', 'the key is pending deletion'))(stage)
      : keyState({ aws: ['', ''], vault: ['', ''], gcp: ['DESTROY_SCHEDULED', 'ENABLED'] })(stage),
  sealed: serverState('sealed'),
  'standby 307': serverState('standby'),
} satisfies Record<string, Make>

export type How = keyof typeof BREAKS
