import type { VaultClient } from './client.ts'
import type { CallRecord } from './wire.ts'

type Said = Pick<CallRecord, 'texts'> & { readonly status?: number | undefined }

/** The service's own words, secrets taken out. */
export const vendorErrorOf = ({ status, texts }: Said): { vendorError?: string } =>
  status === undefined ? {} : { vendorError: [`status ${status}`, ...texts.map(text => text.trim())].join(': ') }

export function meaningOf(client: VaultClient, record: CallRecord): string {
  const { detail, code } = client.told(record)
  return 'reason' in detail ? detail.reason.replace('Diagnose: ', '') : code
}
