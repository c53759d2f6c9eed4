import { Keypair } from '@stellar/stellar-sdk/base'
import type { Eip4361Rules } from '../access/eip4361.ts'
import { checkBreakGlassRule } from '../access/break-glass.ts'
import { createLogin, type Login } from '../access/login.ts'
import type { OfficeClock } from '../access/hours.ts'
import { newestSeq, readRecords } from '../audit/read.ts'
import { nodeAuditFiles } from '../audit/node-files.ts'
import { passphraseOf } from '../chains/stellar/index.ts'
import type { EventEntry, OutcomeEntry } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import type { Logger, World } from '../domain/ports.ts'
import { reveal } from '../domain/secret.ts'
import type { Check } from '../http/edge.ts'
import { controlPlane } from '../http/control.ts'
import { type ControlParts, withBreakGlass } from '../service/control/index.ts'
import { restoreKey } from '../service/restore.ts'
import { destroyVersion } from '../service/destroy.ts'
import { revokeKey } from '../service/revoke.ts'
import { unrevokeKey } from '../service/unrevoke.ts'
import { beginRotation, rotationStep } from '../service/rotate/index.ts'
import { destroyDeps, type Networks } from './destroy.ts'
import { openDoor } from './gateway.ts'
import type { GatewaySettings, LoginSettings } from './gateway-settings.ts'
import { disableIn, registerDeps } from './keys.ts'
import type { Issuers } from './issuers.ts'
import { openLoginKey } from './own-keys.ts'
import { auditPath } from './places.ts'
import type { Room, RoomSettings } from './room.ts'

export interface ControlSettings extends RoomSettings {
  readonly gateway: GatewaySettings
  /** Asked whether an account still lists a key that is to be destroyed. */
  readonly networks?: Networks
  /** How long a version rests before its private key may be given up. */
  readonly destroyAfterMs?: number
  readonly limits: { readonly bodyBytes: number; readonly concurrency: number }
  readonly version: string
}

export interface ControlSideParts {
  readonly room: Room
  readonly world: World
  readonly logger: Logger
  readonly office: OfficeClock
  readonly issuers: Issuers
  recordRefusal(entry: OutcomeEntry | EventEntry): void
  readiness(): Promise<readonly Check[]>
}

/** The control plane of a room: everything an administrator may do, and nothing that signs for a caller. */
export async function openControlSide(settings: ControlSettings, parts: ControlSideParts) {
  const { gateway, environment, instance, limits, version, dataDirectory } = settings
  const { room, world, logger, office, issuers } = parts
  const { store } = room
  const door = openDoor('control', gateway, { world, rates: room.rates, office })
  const files = await nodeAuditFiles(auditPath(dataDirectory), { access: 'read' })
  const control: ControlParts = {
    world,
    logger,
    limits,
    audit: room.audit,
    recordRefusal: parts.recordRefusal,
    recordOpen: parts.recordRefusal,
    records: fromSeq => readRecords(files, { fromSeq }),
    newestSeq: () => newestSeq(files),
    idempotency: store.idempotency,
    admins: store.admins,
    tokens: store.tokens,
    changes: store.changes,
    keys: store.keys,
    restore: async (name, wish, actor) => {
      // The proof is a signature, and this plane signs nothing: it takes one that is served beside the data plane.
      if (gateway.plane === 'control') throw nothingSigned(name, 'restore')
      return restoreKey({ ...registerDeps(room, world, environment), actor }, name, wish)
    },
    revoke: (name, wish, actor) =>
      revokeKey(
        { ...world, registry: store.keys, audit: room.audit, actor, disable: disableIn(room, world) },
        name,
        wish,
      ),
    destroy: (name, wish, actor) => destroyVersion(destroyDeps(room, world, settings, actor), name, wish),
    unrevoke: (name, version, actor) =>
      unrevokeKey({ registry: store.keys, audit: room.audit, random: world.random, actor }, name, version),
    rotate: async (name, { step, provider, newAccount }, actor) => {
      const deps = { ...registerDeps(room, world, environment), actor }
      // A new version signs a challenge before it is made, and again before it signs anything else.
      if (gateway.plane === 'control' && (step === 'begin' || step === 'open')) throw nothingSigned(name, 'rotate')
      if (step !== 'begin') {
        return (await rotationStep(deps, name, step, { newAccount: newAccount === true })).changed
      }
      await beginRotation(deps, name, {
        ...(provider === undefined ? {} : { provider }),
        newAccount: newAccount === true,
      })
      return true
    },
    // Before who asks is looked at, and what records name: behind a listed proxy, the client it speaks for.
    clientOf: visit => door.enter({ peer: visit.peer, sent: visit }),
    authenticate: visit => issuers.sessions.read(visit.headers.get('authorization') ?? undefined),
    admit: async ({ visit, subject, tokenId }) => {
      const peer = door.enter({ peer: visit.peer, sent: visit })
      return door.admit({ operation: 'interactive', subject, tokenId }, peer)
    },
    login: await openLogin(settings, parts),
    issuer: issuers.service,
    claims: store.claims,
    approvals: gateway.approvals,
    changeLifeMs: gateway.approvals.expiryMs,
    about: { version, environment, instance },
    readiness: parts.readiness,
  }
  const { breakGlass: rule } = gateway
  if (rule === undefined) return controlPlane(control)
  checkBreakGlassRule(rule)
  return controlPlane(withBreakGlass(control, { rule, challenges: store.challenges, watch: office }))
}

const nothingSigned = (key: string, wanted: 'restore' | 'rotate') => {
  const command = wanted === 'restore' ? 'keys restore' : wanted
  const reason = `this process has the control plane alone and signs nothing: run \`countersign ${command}\` where keys sign`
  return new SignerError('key/unsupported', { key, wanted, reason })
}

async function openLogin(
  { gateway, environment, dataDirectory }: ControlSettings,
  { room, world, issuers }: ControlSideParts,
): Promise<Login> {
  const { login, control } = gateway
  if (login === undefined) return NOBODY
  const { homeDomain, webAuthDomain, network, chainIds, serverKey } = login
  const given = serverKey === undefined ? {} : { key: serverKey }
  const seed = await openLoginKey({ environment, dataDirectory, ...given }, world.random)
  const pair = Keypair.fromSecret(reveal(seed))
  return createLogin({
    sep10: {
      serverAccount: pair.publicKey(),
      homeDomain,
      webAuthDomain,
      networkPassphrase: passphraseOf(network),
      sign: async hash => new Uint8Array(pair.sign(hash)),
    },
    eip4361: signInRules({ webAuthDomain, chainIds }, control.baseUrls),
    admins: room.store.admins,
    challenges: room.store.challenges,
    clock: world.clock,
    random: world.random,
    issue: admin => issuers.sessions.issue(admin),
  })
}

/** A wallet holds the domain against the page it is on (ERC-4361), and that page stands where the URI points to. */
export function signInRules(
  { webAuthDomain, chainIds }: Pick<LoginSettings, 'webAuthDomain' | 'chainIds'>,
  baseUrls: readonly string[],
): Eip4361Rules {
  const own = baseUrls.find(url => new URL(url).host === webAuthDomain)
  const uri = own ?? baseUrls[0] ?? `https://${webAuthDomain}`
  return { domain: new URL(uri).host, uri, statement: 'Log in to Countersign to administer the signer.', chainIds }
}

/** Without a home domain there is nothing a wallet could show its owner. */
const noLogin = async (): Promise<never> => {
  throw new SignerError('login/refused', { reason: 'nobody logs in here: login.homeDomain is not set' })
}
const NOBODY: Login = { challenge: noLogin, answer: noLogin }
