/** The first name that an object of this JSON text has twice; readers differ on which value counts. Undefined: none. */
export function duplicateName(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token.endsWith(':')) {
      const names = open.at(-1)
      const name = nameIn(token.slice(0, token.lastIndexOf('"') + 1))
      if (names?.has(name) === true) return name
      names?.add(name)
    }
  }
  return undefined
}

/** Two spellings of one name are one name. */
function nameIn(quoted: string): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted
  }
}
