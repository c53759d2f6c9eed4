import { InvalidArgumentError, Option } from 'commander'

/** `--port 0` takes any free port. */
export function portOption(): Option {
  return new Option('--port <number>', 'port to listen on; 0 takes any free port').default(0).argParser(text => {
    const port = Number(text)
    if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('Use a whole number from 0 to 65535.')
    return port
  })
}

/** Data to stdout: one JSON object, or text for people. */
export const json = (value: unknown): string => `${JSON.stringify(value)}\n`

export function countOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(text => {
    if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Use a whole number.')
    return Number(text)
  })
}
