/**
 * A refusal as it stands on the wire: status and the list of texts. The server writes errors of its core and of mounted
 * engines as a one-item list in a fixed frame; errors that an engine words as an answer, and all of logins, stand bare.
 */
export class VaultError extends Error {
  readonly status: number
  readonly texts: readonly string[]
  readonly framed: boolean
  readonly headers: Readonly<Record<string, string>>
  constructor(
    status: number,
    texts: readonly string[],
    framed = false,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(texts[0] ?? `status ${status}`)
    this.status = status
    this.texts = texts
    this.framed = framed
    this.headers = headers
  }
}

export const frame = (text: string): string => `1 error occurred:\n\t* ${text}\n\n`

/** @param login  answers to logins are not framed */
export function wireTexts(error: VaultError, login: boolean): readonly string[] {
  return error.framed && !login ? error.texts.map(frame) : error.texts
}

/** An engine's own words, 400. */
export const bad = (text: string): VaultError => new VaultError(400, [text])
/** An error an engine did not word as an answer, 500 and framed. */
export const failed = (text: string): VaultError => new VaultError(500, [text], true)
export const coded = (status: number, text: string): VaultError => new VaultError(status, [text], true)
export const bare = (status: number, text: string): VaultError => new VaultError(status, [text])
/** What is not there: 404 and an empty list. */
export const notFound = (): VaultError => new VaultError(404, [])
/** A policy says no. */
export const denied = (): VaultError => new VaultError(403, ['permission denied'], true)
/** No token, or none that is known. */
export const unknownToken = (): VaultError => new VaultError(403, ['permission denied'])
export const unsupportedPath = (): VaultError => new VaultError(404, ['unsupported path'], true)
export const unsupportedOperation = (): VaultError => new VaultError(405, ['unsupported operation'], true)
export const noHandler = (path: string): VaultError =>
  new VaultError(404, [`no handler for route ${JSON.stringify(path)}. route entry not found.`])
export const sealed = (): VaultError => new VaultError(503, ['Vault is sealed'])
