import { InvalidArgumentError, Option } from 'commander'

/** `--port 0` takes any free port. Without it: any free port, or what the configuration says. */
export function portOption(whatFor = 'port to listen on', flag = '--port'): Option {
  return new Option(`${flag} <number>`, `${whatFor}; 0 takes any free port`).argParser(text => {
    const port = Number(text)
    if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('Use a whole number from 0 to 65535.')
    return port
  })
}

export function countOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(text => {
    if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Use a whole number.')
    return Number(text)
  })
}

/** Data to stdout: one JSON object, or text for people. */
export const json = (value: unknown): string => `${JSON.stringify(value)}\n`

/** Lines of cells, each column as wide as its widest; the last one as it is. */
export function columns(rows: readonly (readonly string[])[], indent = ''): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(cell.length, most[i] ?? 0)), [])
  return rows
    .map(row => indent + row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '))
    .join('\n')
}

/**
 * Text that others chose (a remote service, a record of the log) on one line of a terminal: no control character and no
 * mark of writing direction gets through, so it can neither move the cursor nor pass for another line.
 */
export const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, c => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)

/** Drops members that are undefined: absent and undefined are not the same under exact optional types. */
export function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
}
