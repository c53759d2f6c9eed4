import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AuditActor } from '../domain/audit.ts'

/** Where things lie in a data directory. */
export const storePath = (dataDirectory: string): string => join(dataDirectory, 'countersign.db')
/** Keys that the control plane makes for itself in development, 0600. */
export const issuerKeyPath = (dataDirectory: string): string => join(dataDirectory, 'issuer-key.json')
export const loginKeyPath = (dataDirectory: string): string => join(dataDirectory, 'login-key')
/** Signs what the data plane publishes about its keys; 0600. */
export const metadataKeyPath = (dataDirectory: string): string => join(dataDirectory, 'metadata-key.json')
export const auditPath = (dataDirectory: string): string => join(dataDirectory, 'audit')

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** For credentials that somebody else keeps fresh in a file. */
export const readFileText = (path: string): Promise<string> => readFile(path, 'utf8')

/** Who acts on the command line of this machine. */
export const LOCAL_OPERATOR: AuditActor = { subject: 'operator', peer: 'cli' }
