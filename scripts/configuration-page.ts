import { configTable, type Setting } from '../src/config/describe.ts'

const SECTIONS: Readonly<Record<string, readonly [title: string, words: string]>> = {
  environment: ['Where this runs', ''],
  plane: [
    'Planes',
    'The data plane signs and cannot administer; the control plane administers and cannot sign. Each has its own listener. `all` serves both from one process: for development and small set-ups. `countersign serve --plane` sets it for one start.',
  ],
  server: ['`[server]`: listener of the data plane', ''],
  control: ['`[control]`: listener of the control plane', ''],
  proxies: [
    '`[proxies]`: whose word about the caller is believed',
    'Without a listed proxy the address of a caller is that of the connection, and no header changes it. A listed proxy must send the header with every request; what it forwards in the other header is refused.',
  ],
  admission: [
    '`[admission]`: who gets in, when and how often',
    'Addresses are written in one spelling: dotted decimal, or RFC 5952; networks have no bits after their prefix; `unix` stands for callers on the socket. Limits are exact: never more than `count` operations in any window of `seconds`, however they fall, on all instances together.',
  ],
  data: ['`[data]`', ''],
  store: [
    '`[store]`: registry, idempotency, limits, spend windows',
    'With PostgreSQL several instances share them exactly. The audit log stays with each instance, under its name.',
  ],
  tokens: [
    '`[tokens]`: tokens of callers',
    'One of `jwks` and `jwksUrl` must be there. In production signing needs proof that the token is its sender’s own: a token that was copied from a log or a proxy is then worth nothing. `senderConstraint = "optional"` gives that up, and every start says so.',
  ],
  issuer: ['`[issuer]`: tokens that the control plane gives out', 'Needed where the control plane runs.'],
  login: [
    '`[login]`: how administrators log in',
    'By signing a challenge: SEP-10 for G… addresses, ERC-4361 for 0x… addresses. `serverKey` signs challenges only; never use a key that holds money.',
  ],
  approvals: [
    '`[approvals]`: changes of policies',
    'Without `approvers`, a policy-admin can add people who approve; they count for what is proposed afterwards. `policy.md` has the way of a change.',
  ],
  breakGlass: [
    '`[breakGlass]`: access in an emergency',
    'Without this section there is none. `custodians` sign a statement with keys that lie in envelopes until then; `gateway.md` has the whole way.',
  ],
  equivocation: ['`[equivocation]`', ''],
  metadata: [
    '`[metadata]`: what verifiers of approvals are told',
    'Verifiers pin the key that signs it: `countersign approvals issuer` prints its thumbprint. Instances that share a store need the same one. `approvals.md` has the rest.',
  ],
  webhooks: [
    '`[webhooks]`: who is told',
    'One endpoint hears what becomes of proposals. `proposals.md` says what it is sent, and how to check it.',
  ],
  providers: [
    '`[providers.<name>]`: key services',
    'The name is yours; bindings of keys call the provider by it. Secrets are written as `env:NAME` or `file:/path`, never as themselves.',
  ],
  keys: ['`[keys]`: keys that exist already', 'See “Key mapping” below.'],
  flags: ['`[flags]`: routing', ''],
  limits: ['`[limits]`', ''],
  audit: ['`[audit]`', ''],
  log: ['`[log]`', ''],
}

const MAPPING = `## Key mapping

Which key of a key service stands behind an address may be said in four places:

| place | form |
|---|---|
| \`[keys.mapping]\` in the file, or \`COUNTERSIGN_KEYS_MAPPING\` instead of it | \`"G…" = "arn:aws:kms:…"\` |
| \`keys.mappingFile\` | one JSON object, or TOML when its name ends in \`.toml\` |
| \`HSM_KEY_MAPPING\` | one JSON object |
| \`HSM_KEY_<address>\` | a variable for each address |

They are put together. There is no precedence between them: an address that two places map to different keys is refused, and so is one that
stands twice in one place, also in two spellings. Saying the same twice is allowed.

An address is \`G…\` with its checksum (SEP-23), or \`0x…\` with the checksum of EIP-55 or all in lower case; anything else after \`HSM_KEY_\` is
refused. A value is \`provider:reference\`, or the reference alone, which belongs to \`keys.provider\`, or to the one provider there is; \`arn:\`
begins a reference, not the name of a provider. \`countersign keys import NAME --address …\` adopts the key that is mapped.`

const cell = (text: string): string => text.replaceAll('|', '\\|')

function row({ name, meaning, unit, default: preset, required, secret, variable, familiar }: Setting): string {
  const words = [meaning, unit === '' ? '' : `(${unit})`, secret ? '**secret**' : ''].filter(part => part !== '')
  const other = familiar.map(each => `\`${each}\``).join(', ')
  const variables = [`\`${variable}\``, ...(other === '' ? [] : [other])].join('; also ')
  return `| \`${name}\` | ${cell(words.join(' '))} | ${required ? 'required' : preset === '' ? '' : `\`${cell(preset)}\``} | ${variables} |`
}

const table = (settings: readonly Setting[]): string =>
  ['| setting | meaning | default | variable |', '|---|---|---|---|', ...settings.map(row)].join('\n')

function section(name: string, settings: readonly Setting[]): string {
  const [title, words] = SECTIONS[name] ?? [`\`[${name}]\``, '']
  const kinds = [...new Set(settings.map(({ kind }) => kind))]
  const tables = kinds.map(kind => {
    const of = settings.filter(setting => setting.kind === kind)
    return kind === undefined ? table(of) : `### \`kind = "${kind}"\`\n\n${table(of)}`
  })
  return [`## ${title}`, words, ...tables].filter(part => part !== '').join('\n\n')
}

/** Every setting with its default and its variable. */
export function configurationPage(): string {
  const settings = configTable()
  const names = [...new Set(settings.map(({ name }) => name.split('.')[0] ?? name))]
  const sections = names.map(name =>
    section(
      name,
      settings.filter(each => each.name.split('.')[0] === name),
    ),
  )
  return `# Configuration

One TOML file (\`--config\`, or \`COUNTERSIGN_CONFIG\`), then variables, then flags: each wins over the one before. Unknown fields and unknown
\`COUNTERSIGN_…\` variables are refused, and every problem is reported at once. \`countersign config check\` says what \`serve\` would say, warnings
included; \`countersign config schema\` prints the JSON Schema for editors. A secret is written as \`env:NAME\` or \`file:/path\`.

A variable is \`COUNTERSIGN_\` and the path in capitals, words apart by \`_\`. Lists are parted by commas, or JSON; tables and lists of tables are
JSON. Other variables that are named fill what file and variables of ours left open.

${sections.join('\n\n')}

${MAPPING}
`
}
