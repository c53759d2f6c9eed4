/** How a route of the control plane is written down: one entry is its documentation, its checks and its work. */
import type { z } from 'zod'
import {
  type Answered,
  type Asking,
  type ControlParts,
  type Done,
  type Granted,
  type Operation,
  perform,
  performOpen,
} from '../service/control/index.ts'
import { readInput } from './input.ts'
import { address, changeId, keyName, keyVersion, tokenId } from './schemas-control.ts'

type Permission = Operation['permission']

/** What a path may name; at most one in each. A `version` is that of a key: `{key}` and `{version}` in the path, `treasury/3` here. */
const PARAMS = { key: keyName, version: keyVersion, address, change: changeId, token: tokenId } as const
export type Param = keyof typeof PARAMS

interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** As in OpenAPI. */
  readonly path: string
  /** `admins.add`: what the record calls it. */
  readonly name: string
  readonly summary: string
  /** `login`: before there is a session. */
  readonly needs: Permission | 'login'
  readonly writes: boolean
  /** By a statement of custodians alone: where there is no break-glass, it does not exist. */
  readonly quorum?: true
  readonly param?: Param
  readonly body?: z.ZodType
  readonly query?: z.ZodObject
  readonly answer: z.ZodType
  readonly status: 200 | 201
  /** Besides those that every route has. */
  readonly refusals?: Readonly<Record<number, string>>
  run(parts: ControlParts, asking: Asking): Promise<Answered>
}
export type ControlRoute = Readonly<Route>

/** For routes that are about one key. */
export const NO_KEY = { 404: 'no such key' }

type Out<T> = T extends z.ZodType ? z.output<T> : undefined
interface Input<P extends Param | undefined, B, Q> {
  readonly object: P extends Param ? string : undefined
  readonly body: Out<B>
  readonly query: Out<Q>
}
type Written<P extends Param | undefined, B, Q> = Omit<
  Route,
  'run' | 'param' | 'body' | 'query' | 'status' | 'writes'
> & {
  readonly param?: P
  readonly body?: B
  readonly query?: Q
  readonly status?: 201
  readonly writes?: true
}

function understood<P extends Param | undefined, B, Q>({ param, body, query }: Written<P, B, Q>, asking: Asking) {
  const { visit, object } = asking
  return readInput({
    object: param === undefined ? undefined : { name: param, schema: PARAMS[param], text: object },
    body: { schema: body as z.ZodType | undefined, bytes: visit.body, contentType: visit.headers.get('content-type') },
    query: { schema: query as z.ZodType | undefined, url: visit.url },
  }) as Input<P, B, Q>
}

type Act<P extends Param | undefined, B, Q> = (
  parts: ControlParts,
  granted: Granted,
  input: Input<P, B, Q>,
) => Promise<Done>
/** `made`: what the first request made. */
type Again<P extends Param | undefined, B, Q> = (
  parts: ControlParts,
  granted: Granted,
  input: Input<P, B, Q>,
  made: string,
) => Promise<Done>

/** For administrators whose roles hold `needs`. */
export function route<P extends Param | undefined = undefined, B = undefined, Q = undefined>(
  written: Written<P, B, Q>,
  act: Act<P, B, Q>,
  again?: Again<P, B, Q>,
): ControlRoute {
  const { name, needs, writes = false, status = 200 } = written
  const operation: Operation = { name, permission: needs as Permission, writes }
  return Object.freeze({
    ...(written as Omit<Route, 'run' | 'status' | 'writes'>),
    status,
    writes,
    run: (parts: ControlParts, asking: Asking) =>
      perform<Input<P, B, Q>>(parts, operation, asking, {
        understand: () => understood(written, asking),
        act: (granted, input) => act(parts, granted, input),
        ...(again === undefined ? {} : { again: (granted, input, made) => again(parts, granted, input, made) }),
      }),
  })
}

/** For whoever knocks. */
export function login<B>(
  written: Written<undefined, B, undefined>,
  act: (parts: ControlParts, body: Out<B>, asking: Asking) => ReturnType<Parameters<typeof performOpen>[3]['act']>,
): ControlRoute {
  return Object.freeze({
    ...(written as unknown as Omit<Route, 'run' | 'status' | 'writes'>),
    status: 200,
    writes: false,
    run: (parts: ControlParts, asking: Asking) =>
      performOpen<Input<undefined, B, undefined>>(parts, written.name, asking, {
        understand: () => understood(written, asking),
        act: ({ body }) => act(parts, body, asking),
      }),
  })
}
