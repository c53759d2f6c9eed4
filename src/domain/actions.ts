/**
 * What a token may grant on the data plane, each for one key or for all. No action includes another.
 *
 * `sign` has it sign; `explain` asks what policy would say; `read` looks at it; `propose` opens, completes and cancels
 * proposals that wait for several signatures; `approve` approves what others asked for; `submit` sends signed transactions
 * of it to the network.
 */
export const ACTIONS = ['sign', 'explain', 'read', 'propose', 'approve', 'submit'] as const
export type Action = (typeof ACTIONS)[number]
