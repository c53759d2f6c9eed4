import { Command, CommanderError } from 'commander'
import { addressCommand } from './address.ts'
import { adminsCommand } from './admins.ts'
import { approvalsCommand } from './approvals.ts'
import { auditCommand } from './audit.ts'
import { benchCommand } from './bench.ts'
import { configCommand } from './config.ts'
import type { CliContext } from './context.ts'
import { devCommand } from './dev.ts'
import { doctorCommand } from './doctor.ts'
import { EXIT, ExitError, exitOfCommander, explain } from './exit.ts'
import { flagsCommand } from './flags.ts'
import { keygenCommand } from './keygen.ts'
import { keysCommand } from './keys.ts'
import { localKmsCommand } from './local-kms.ts'
import { loginCommand } from './login.ts'
import { migrateCommand } from './migrate.ts'
import { json } from './options.ts'
import { policyCommand } from './policy.ts'
import { revokeCommand } from './revoke.ts'
import { rotateCommand } from './rotate.ts'
import { serveCommand } from './serve.ts'
import { signCommand } from './sign.ts'
import { addStellarCommands, PLUGIN, stellarCommand } from './stellar.ts'

const FIRST = `
First steps:
  countersign dev --once     an emulated AWS KMS, two signatures, both verified, nothing left behind
  countersign dev            the same, and it stays up and prints how to call it
  countersign help sign      what a command takes`

const EPILOGUE = `
Data goes to stdout, talk to stderr. --json prints one JSON object.
Exit codes: 0 done · 1 error · 2 usage · 3 denied by policy or scope · 4 pending approval ·
            5 key service or service unavailable`

/** One command line, start to end. Returns the exit code; never throws, never exits by itself. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const { terminal } = context
  const written: Promise<void>[] = []
  const isPlugin = context.programName === PLUGIN
  const program = new Command(isPlugin ? 'stellar countersign' : 'countersign')
    .description(
      'Signs Stellar transactions with keys that stay in a key service: decodes, decides, records, verifies, answers.',
    )
    .version(context.services.version(), '-V, --version', 'print the version')
    .showSuggestionAfterError(true)
    .showHelpAfterError('(add --help for the options)')
    .addHelpText('afterAll', EPILOGUE)
    .exitOverride()
    .configureOutput({
      writeOut: text => void written.push(terminal.out(text)),
      writeErr: text => void written.push(terminal.err(text)),
    })
  if (isPlugin) addStellarCommands(program, context)
  else {
    program.addHelpText('after', FIRST)
    for (const add of COMMANDS) add(program, context)
  }
  inherit(program)
  try {
    await program.parseAsync(argv, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof ExitError) return error.exitCode
    const wantsJson = argv.includes('--json')
    if (error instanceof CommanderError) {
      const exitCode = exitOfCommander(error)
      const { message: reason } = error
      if (wantsJson && exitCode !== EXIT.ok) await terminal.out(json({ error: { code: 'usage', reason } }))
      return exitCode
    }
    const failure = explain(error)
    if (wantsJson) await terminal.out(json(failure.json))
    await terminal.err(`${failure.lines.join('\n')}\n`)
    return failure.exitCode
  } finally {
    await Promise.all(written)
  }
}

const COMMANDS = [
  devCommand,
  serveCommand,
  signCommand,
  stellarCommand,
  keysCommand,
  migrateCommand,
  revokeCommand,
  rotateCommand,
  flagsCommand,
  policyCommand,
  adminsCommand,
  loginCommand,
  addressCommand,
  keygenCommand,
  approvalsCommand,
  auditCommand,
  configCommand,
  doctorCommand,
  localKmsCommand,
  benchCommand,
]

/** Commander copies settings only to commands made by `.command()` after they were set; this covers those added later. */
function inherit(parent: Command): void {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent)
    inherit(child)
  }
}
