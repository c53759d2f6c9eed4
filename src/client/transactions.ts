import type { Asker } from './asker.ts'
import type { CallOptions, Executed, Prepared } from './types.ts'

export type Arguments = Readonly<Record<string, unknown>>

/** Transactions that the service builds, signs and sends. All throw CountersignError. */
export interface Transactions {
  /** From a template of the service's configuration: built and simulated; nothing is signed. */
  prepare(template: string, args: Arguments, options?: CallOptions): Promise<Prepared>
  /** The same, signed with every key it takes, and sent. @throws ApprovalPendingError */
  execute(template: string, args: Arguments, options?: CallOptions): Promise<Executed>
  /** A transaction of the caller's own, signed with these keys, and sent. @throws ApprovalPendingError */
  executeXdr(xdr: string, keys: readonly string[], options?: CallOptions): Promise<Executed>
  /** Sends what a key of the service has signed and pays for. */
  submit(key: string, xdr: string, options?: CallOptions): Promise<Executed>
  /** What became of it. */
  transaction(hash: string, options?: Pick<CallOptions, 'signal'>): Promise<Executed>
}

export function createTransactions({ get, post }: Asker): Transactions {
  const sent = ['hash', 'status'] as const
  const run = (step: string, body: object, options?: CallOptions) =>
    post<Executed>(`/v1/transactions/${step}`, body, sent, options)
  return {
    prepare: (template, args, options) =>
      post<Prepared>('/v1/transactions/prepare', { template, arguments: args }, ['hash', 'xdr'], options),
    execute: (template, args, options) => run('execute', { template, arguments: args }, options),
    executeXdr: (xdr, keys, options) => run('execute', { xdr, keys }, options),
    submit: (key, xdr, options) => run('submit', { key, xdr }, options),
    transaction: (hash, options) => get<Executed>(`/v1/transactions/${encodeURIComponent(hash)}`, sent, options),
  }
}
