/** Sections of the gateway: who is believed, who gets in, how often, and who decides. What holds between them: `cross-checks.ts`. */
import { z } from 'zod'
import { DAYS } from '../access/hours.ts'
import { FORWARDING_HEADERS } from '../access/forwarded.ts'
import { IDENTITY_FORMS } from '../access/proxy-identity.ts'
import type { Secret } from '../domain/secret.ts'
import { network } from './networks.ts'
import { domain, FIX, keyName, text, whole } from './shapes.ts'

const networks = z.array(network).max(1000)

export const proxies = z.strictObject({
  addresses: networks
    .default([])
    .describe(
      'proxies before this service (CIDR; `unix` for a proxy on the socket); headers of others are not believed',
    ),
  header: z
    .enum(FORWARDING_HEADERS)
    .default('x-forwarded-for')
    .describe('the one header in which these proxies say whom they speak for'),
  certificateHeader: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, `is not a header${FIX}write its name in lower case, such as client-cert`)
    .optional()
    .describe('header in which they hand over the client certificate of mTLS; they must delete it from what comes in'),
  certificateForm: z
    .enum(IDENTITY_FORMS)
    .default('client-cert')
    .describe('how it says it: the certificate as RFC 9440 has it, the element of Envoy, or its SHA-256 in hex'),
  hopsMax: whole(1, 32).default(8).describe('most addresses that the header may name'),
})

/** What is in a window is read by the module that also judges it; see `cross-checks.ts`. */
const hours = z.strictObject({
  windows: z
    .array(
      z.strictObject({
        zone: text(64).describe('IANA time zone, such as Europe/Vienna'),
        days: z.array(z.enum(DAYS)).min(1).max(7).describe('days on which the window opens'),
        from: text(5).describe('HH:MM'),
        to: text(5).describe('HH:MM, up to 24:00; before `from`: on the next day'),
      }),
    )
    .max(32)
    .default([])
    .describe('when callers get in: zone, days, from and to of each window; none: always'),
  except: z.array(text(10)).max(1000).default([]).describe('dates (YYYY-MM-DD) on which nothing is open'),
})

const plane = (which: string) =>
  z
    .strictObject({
      allow: networks.default([]).describe(`addresses that may call the ${which} plane (CIDR or \`unix\`); none: all`),
      hours: hours.prefault({}),
    })
    .prefault({})

const rate = (whose: string, count?: number, what = 'operations') => {
  const counted = whole(1, 1_000_000)
  const meaning = `${what} ${whose} in any window of that many seconds`
  return z
    .strictObject({
      count:
        count === undefined
          ? counted.optional().describe(`${meaning}; left out: not limited`)
          : counted.default(count).describe(meaning),
      seconds: whole(1, 86_400).default(60).describe('length of that window').meta({ unit: 'seconds' }),
    })
    .prefault({})
}

export const admission = z.strictObject({
  data: plane('data'),
  control: plane('control'),
  limits: z
    .strictObject({
      perAddress: rate('of an address (IPv6: of a /64) at the login and on the control plane', 10),
      perToken: rate('of a service token that carries no limit of its own', 600),
      perSubject: rate('of a caller, whatever token is used'),
      perKey: rate('with a key that carries no limit of its own'),
      global: rate('of everybody together'),
      failures: rate('of an address (IPv6: of a /64) on the data plane', 60, 'failed authentications'),
    })
    .prefault({}),
})

export const SENDER_CONSTRAINTS = ['required', 'optional'] as const

export const tokens = z.strictObject({
  issuer: text(255).describe('`iss` that tokens must carry'),
  audience: text(255).describe('`aud` that tokens must carry: the name of this service'),
  jwks: text(4096)
    .optional()
    .describe('file with the public keys of the issuer (JWKS), read at the start; nothing is fetched'),
  jwksUrl: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .optional()
    .describe('https URL of those keys, instead of a file; fetched again when it is old'),
  maxAgeSeconds: whole(1, 900).default(900).describe('longest life of a token').meta({ unit: 'seconds' }),
  clockSkewSeconds: whole(0, 30)
    .default(30)
    .describe("how far the issuer's clock may be off")
    .meta({ unit: 'seconds' }),
  senderConstraint: z
    .enum(SENDER_CONSTRAINTS)
    .optional()
    .describe(
      'whether signing needs proof that the token is its sender’s own (DPoP, request signature or mTLS); left out: `required` in production, `optional` elsewhere',
    ),
  proofSeconds: whole(1, 60).default(15).describe('how old such a proof may be').meta({ unit: 'seconds' }),
})

export const issuer = (secret: z.ZodType<Secret>) =>
  z.strictObject({
    name: text(255).default('countersign').describe('`iss` of tokens that the control plane gives out'),
    key: secret
      .optional()
      .describe('private key (Ed25519, JWK) that signs them; in development one is made in data.directory'),
    audience: text(255)
      .default('countersign')
      .describe('`aud` of service tokens: what the data plane has as tokens.audience'),
    tokenSeconds: whole(60, 900).default(900).describe('longest life of a service token').meta({ unit: 'seconds' }),
  })

export const login = (secret: z.ZodType<Secret>) =>
  z.strictObject({
    homeDomain: domain.optional().describe('home domain of SEP-10; left out: nobody logs in'),
    webAuthDomain: domain
      .optional()
      .describe('web_auth_domain of SEP-10 and domain of EIP-4361; left out: the home domain'),
    serverKey: secret
      .optional()
      .describe('Stellar seed (S…) that signs SEP-10 challenges and nothing else; in development one is made'),
    network: text(260).default('public').describe('Stellar network whose passphrase challenges are made for'),
    chainIds: z
      .array(whole(1, Number.MAX_SAFE_INTEGER))
      .min(1)
      .max(50)
      .default([1])
      .describe('chain ids that EIP-4361 messages may name'),
    sessionSeconds: whole(1, 900).default(900).describe('life of a session').meta({ unit: 'seconds' }),
  })

export const approvals = z.strictObject({
  loosening: whole(1, 16)
    .default(2)
    .describe('approvals of different people that a policy needs to become looser; a tighter one needs one'),
  coolDownMinutes: whole(0, 43_200)
    .default(60)
    .describe('time from the proposal of a looser policy to its activation, so that others can object')
    .meta({ unit: 'minutes' }),
  expiryHours: whole(1, 720).default(72).describe('time after which a proposal is void').meta({ unit: 'hours' }),
  approvers: z
    .array(text(64))
    .min(1)
    .max(100)
    .optional()
    .describe(
      'addresses (G… or 0x…) whose approval of a looser policy counts, if they are active approvers; left out: all',
    ),
})

export const breakGlass = z.strictObject({
  custodians: z
    .array(text(64))
    .min(2)
    .max(32)
    .describe('addresses (G… or 0x…) of the people whose signatures open it; none of them need be an administrator'),
  quorum: whole(2, 32).describe('how many of them must sign, besides the holder'),
  lifetimeMinutes: whole(1, 60)
    .optional()
    .describe('longest life of a token it gives; left out: 15')
    .meta({ unit: 'minutes' }),
})

export const STORE_KINDS = ['sqlite', 'postgres'] as const

export const store = (secret: z.ZodType<Secret>) =>
  z.strictObject({
    kind: z
      .enum(STORE_KINDS)
      .default('sqlite')
      .describe('sqlite: a file in data.directory, for one instance; postgres: for several'),
    url: secret.optional().describe('postgres:// URL with user and password'),
    pool: whole(1, 100).default(10).describe('connections to it at one time'),
    tls: z
      .enum(['verify', 'off'])
      .default('verify')
      .describe('verify: TLS with the name checked; off: only to this machine or a unix socket'),
    ca: text(4096)
      .optional()
      .describe('file with the certificate authority of its server (PEM); left out: the usual ones'),
    replicas: whole(1, 100).default(1).describe('instances that share this configuration; more than one need postgres'),
  })

export const metadata = (secret: z.ZodType<Secret>) =>
  z.strictObject({
    issuer: text(255).default('countersign').describe('`iss` of the document that tells verifiers about keys'),
    key: secret
      .optional()
      .describe('private key (Ed25519, JWK) that signs it; left out: one is made in data.directory and kept there'),
    lifeMinutes: whole(1, 1440).default(60).describe('how long that document is good').meta({ unit: 'minutes' }),
  })

export const equivocation = z.strictObject({
  exempt: z
    .array(keyName)
    .max(1000)
    .default([])
    .describe('keys that may sign two transactions for one sequence number or nonce; all others are guarded'),
})
