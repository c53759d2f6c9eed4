import { parse } from 'smol-toml'

/** @throws Error naming line and column, and nothing of the text */
export function parseToml(text: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    const { line = 0, column = 0 } = error as { line?: number; column?: number }
    // No cause: the parser's message shows the line, and a line may hold a secret.
    // oxlint-disable-next-line preserve-caught-error
    throw new Error(`is not TOML (line ${line}, column ${column})`)
  }
}
