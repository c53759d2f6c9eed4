import type { Terminal } from './context.ts'

/** On a terminal one line that changes; elsewhere a line for each part, and for the last word. */
export function progressLine(terminal: Terminal): (part: number, line: string, last: boolean) => void {
  let said = -1
  return (part, line, last) => {
    if (part === said && !last) return
    said = part
    void terminal.err(terminal.interactive ? `\r${line}${last ? '\n' : ''}` : `${line}\n`)
  }
}
