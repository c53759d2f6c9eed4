import type { DevRunning } from './context.ts'
import { columns } from './options.ts'

interface Ready {
  readonly dataUrl: string
  readonly token: string
  readonly localKms: {
    readonly aws: string
    readonly vault: string
    readonly vaultToken: string
    readonly gcpRest: string
    readonly gcpGrpc: string
  }
  readonly keys: readonly { name: string; network: string; provider: string; custody: string; address: string }[]
}

/** What `dev` says when it is ready: lines that work when they are pasted, wherever they are pasted. */
export function welcome({ ready, example, command }: Pick<DevRunning, 'ready' | 'example' | 'command'>): string {
  const { dataUrl, token, localKms, keys } = ready as unknown as Ready
  const rows = keys.map(({ name, network, provider, custody, address }) => [name, network, provider, custody, address])
  const places = columns(
    [
      ['signer', dataUrl],
      ['local-kms', `${localKms.aws} (AWS KMS)`],
      ['', `${localKms.vault} (Vault; token ${localKms.vaultToken})`],
      ['', `${localKms.gcpRest} (Google Cloud KMS, REST), ${localKms.gcpGrpc} (gRPC)`],
    ],
    '  ',
  )
  return `countersign dev is ready. NOT FOR PRODUCTION: the keys and their seeds are public, the key service is emulated.

${places}

${columns([['key', 'network', 'provider', 'custody', 'address'], ...rows], '  ')}

In another terminal:

  export COUNTERSIGN_URL=${dataUrl}
  export COUNTERSIGN_TOKEN=${token}
  export EXAMPLE_XDR=${example}

  ${command.map(quoted).join(' ')} sign --key demo-stellar "$EXAMPLE_XDR"

or with curl:

  curl -s "$COUNTERSIGN_URL/v1/keys/demo-stellar/sign" \\
    -H "Authorization: Bearer $COUNTERSIGN_TOKEN" \\
    -H 'Content-Type: application/json' \\
    -H 'Idempotency-Key: order-4711' \\
    -d '{"type":"stellar-transaction","xdr":"'"$EXAMPLE_XDR"'"}'

The token lives 15 minutes; a fresh one is printed here before it ends. Ctrl-C stops.
`
}

/** For a POSIX shell. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
