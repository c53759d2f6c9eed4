/** What is allowed and weaker than it could be: said at the start and by `config check`, one line each. Nothing here refuses. */
import type { ConfigProblem } from '../domain/errors.ts'
import { type Config, isLoopbackHost } from './schema.ts'

type Weakness = (config: Config) => readonly ConfigProblem[]

/** Outside development, where nothing is at stake. */
export const weakChoices = (config: Config): ConfigProblem[] =>
  config.environment === 'development' ? [] : WEAKNESSES.flatMap(weakness => weakness(config))

const weak = (when: boolean, path: string, problem: string, fix: string): readonly ConfigProblem[] =>
  when ? [{ path, problem, fix }] : []

const serves = ({ plane }: Config, which: 'data' | 'control'): boolean => plane === which || plane === 'all'
const isOpen = ({ host, socket }: Config['server']): boolean => socket === undefined && !isLoopbackHost(host)

const WEAKNESSES: readonly Weakness[] = [
  config =>
    weak(
      config.plane === 'all',
      'plane',
      'is all: one process can sign and administer, so whoever breaks into it can do both',
      'run two processes, with plane = "data" and plane = "control", each with an identity of its own at the key service',
    ),
  config =>
    weak(
      config.plane === 'control' && config.store.kind === 'sqlite',
      'store.kind',
      'is sqlite: no data plane shares this store, so what is revoked or changed here reaches none',
      'set store.kind = "postgres" for both planes, or run plane = "all"',
    ),
  config =>
    weak(
      serves(config, 'data') && config.tokens?.senderConstraint === 'optional' && config.environment === 'production',
      'tokens.senderConstraint',
      'is optional: whoever copies a token can sign with it until it ends',
      'set it to "required", and have callers prove that the token is theirs',
    ),
  config =>
    weak(
      serves(config, 'data') &&
        config.tokens?.senderConstraint === 'required' &&
        config.server.baseUrls.length === 0 &&
        (config.server.trustProxy || config.proxies.addresses.length > 0),
      'server.baseUrls',
      'is empty, and a proxy stands before this plane: DPoP proofs for the public URL will be refused',
      'list the https URLs that callers use',
    ),
  config =>
    (['server', 'control'] as const).flatMap(section =>
      weak(
        serves(config, section === 'server' ? 'data' : 'control') &&
          isOpen(config[section]) &&
          config.proxies.addresses.length === 0,
        `${section}.trustProxy`,
        'is set, and no proxy is listed: every caller has the address of the proxy, in limits, lists and records',
        'list it in proxies.addresses',
      ),
    ),
  config =>
    weak(
      serves(config, 'control') && isOpen(config.control) && config.admission.control.allow.length === 0,
      'admission.control.allow',
      'is empty, and the control plane can be reached from other machines',
      'list the networks that administrators come from',
    ),
  config =>
    weak(
      config.environment === 'production' && config.approvals.loosening === 1,
      'approvals.loosening',
      'is 1: one approver makes a policy looser',
      'use 2 or more',
    ),
  config =>
    weak(
      config.environment === 'production' && config.approvals.coolDownMinutes === 0,
      'approvals.coolDownMinutes',
      'is 0: a looser policy is in force before anybody can object',
      'use 15 or more',
    ),
  config =>
    weak(
      config.environment === 'production' && serves(config, 'control') && config.approvals.approvers === undefined,
      'approvals.approvers',
      'is not set: a policy-admin can add approvers of their own, and a looser policy then needs nobody else',
      'list the addresses of the people who approve',
    ),
  config =>
    weak(
      config.equivocation.exempt.length > 0,
      'equivocation.exempt',
      `lets ${config.equivocation.exempt.length} key(s) sign two transactions for one sequence number or nonce`,
      'remove the keys that do not need it',
    ),
  config =>
    weak(
      serves(config, 'data') && config.store.replicas > 1 && config.metadata.key === undefined,
      'metadata.key',
      'is missing: each instance would sign what it says of keys with a key of its own, and verifiers trust one',
      'give all instances the same key',
    ),
  config =>
    weak(
      config.store.replicas > 1 && config.audit.instance === 'main',
      'audit.instance',
      'is "main", as on any other replica: records would not tell which of them wrote them',
      'give each instance a name, by COUNTERSIGN_AUDIT_INSTANCE',
    ),
]
