import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CliContext, LocalKmsFlags, Running } from './context.ts'
import { json, portOption } from './options.ts'
import { stayUp } from './stay-up.ts'

const FACES = ['aws', 'vault', 'gcp'] as const

export function localKmsCommand(program: Command, context: CliContext): void {
  program
    .command('local-kms')
    .description('start the emulator of the key services alone; no secure store, for development and tests')
    .addOption(facesOption())
    .addOption(portOption('port of the AWS KMS face'))
    .addOption(portOption('port of the Vault face', '--vault-port'))
    .addOption(portOption('port of the Google Cloud KMS face over REST', '--gcp-rest-port'))
    .addOption(portOption('port of the Google Cloud KMS face over gRPC', '--gcp-grpc-port'))
    .option('--seed-file <file>', 'JSON document of keys, ids, aliases and key material')
    .option('--latency <profile>', 'none, fixed:<ms>, or a profile such as aws-in-region')
    .addOption(new Option('--sigv4 <mode>', 'check request signatures of AWS').choices(['off', 'lenient', 'strict']))
    .option('--persist <file>', 'keep keys in this file (readable by anyone who can read the file)')
    .option('--json', 'print one JSON line when ready')
    .action(async (flags: LocalKmsFlags & { json?: boolean }) => {
      const { services, terminal } = context
      await stayUp(
        context,
        () => services.localKms(flags),
        ({ ready }) => terminal.out(flags.json ? json(ready) : howTo(ready)),
      )
    })
}

function facesOption(): Option {
  return new Option('--faces <list>', 'which services, separated by commas: aws, vault, gcp (default: all)').argParser(
    text => {
      const names = text.split(',').map(name => name.trim())
      const known = FACES.filter(face => names.includes(face))
      if (known.length === 0 || names.some(name => !FACES.some(face => face === name))) {
        throw new InvalidArgumentError(`Use one or more of ${FACES.join(', ')}, separated by commas.`)
      }
      return known
    },
  )
}

/** Where each face is, and what points the vendor's own programs at it. */
function howTo({ aws, vault, vaultToken, gcpRest, gcpGrpc }: Running['ready']): string {
  const parts = [
    typeof aws === 'string' ? forAws(aws) : '',
    typeof vault === 'string' ? forVault(vault, String(vaultToken)) : '',
    typeof gcpRest === 'string' ? forGcp(gcpRest, String(gcpGrpc)) : '',
  ]
  return `${parts.filter(part => part !== '').join('\n')}\nNo secure store: keys lie in memory in the clear. Ctrl-C stops.\n`
}

const forAws = (url: string): string => `local-kms speaks AWS KMS at ${url}
  AWS CLI and SDKs    export AWS_ENDPOINT_URL_KMS=${url} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
`

const forVault = (url: string, token: string): string => `local-kms speaks Vault Transit at ${url}
  vault, bao, SDKs    export VAULT_ADDR=${url} VAULT_TOKEN=${token}
`

function forGcp(rest: string, grpc: string): string {
  const { hostname, port } = new URL(`http://${grpc}`)
  const web = new URL(rest)
  return `local-kms speaks Google Cloud KMS at ${grpc} (gRPC) and ${rest} (REST)
  @google-cloud/kms   new KeyManagementServiceClient({ apiEndpoint: '${hostname}', port: ${port}, sslCreds: grpc.credentials.createInsecure(), authClient: new PassThroughClient() })
  the same over REST  new KeyManagementServiceClient({ apiEndpoint: '${web.hostname}', port: ${web.port}, protocol: 'http', fallback: true, authClient: new PassThroughClient() })
  curl                curl ${rest}/v1/projects/my-project/locations/global/keyRings
`
}
