import type { xdr } from '@stellar/stellar-sdk/base'
import type { AuthorizationView, InvocationView, StellarAuthorizationView } from '../../domain/stellar.ts'
import { valueOf } from './contract-values.ts'
import { strkeyOf } from './values.ts'

export function invocationOf(fn: xdr.HostFunction): InvocationView {
  switch (fn.type) {
    case 'hostFunctionTypeInvokeContract':
      return callOf(fn.invokeContract)
    case 'hostFunctionTypeCreateContract':
    case 'hostFunctionTypeCreateContractV2':
      return { kind: 'create-contract' }
    case 'hostFunctionTypeUploadContractWasm':
      return { kind: 'upload-code', bytes: fn.wasm.length }
    default:
      return { kind: 'unknown', name: 'host function' }
  }
}

function callOf(call: xdr.InvokeContractArgs): InvocationView {
  return {
    kind: 'call',
    contract: strkeyOf(call.contractAddress),
    function: call.functionName.toJson(),
    arguments: call.args.map(valueOf),
  }
}

export function authorizationOf({ credentials, rootInvocation }: xdr.SorobanAuthorizationEntry): AuthorizationView {
  const invocations = treeOf(rootInvocation)
  if (credentials.type === 'sorobanCredentialsSourceAccount') {
    return { credentials: 'source-account', address: null, invocations }
  }
  const found = addressCredentialsOf(credentials)
  if (found === undefined) return { credentials: 'unknown', address: null, invocations }
  return { credentials: found.kind, address: strkeyOf(found.held.address), invocations }
}

/** Undefined for those of a source account, which hold no signature, and for those this signer does not know. */
export function addressCredentialsOf(
  credentials: xdr.SorobanCredentials,
):
  | { readonly kind: StellarAuthorizationView['credentials']; readonly held: xdr.SorobanAddressCredentials }
  | undefined {
  switch (credentials.type) {
    case 'sorobanCredentialsAddress':
      return { kind: 'address', held: credentials.address }
    case 'sorobanCredentialsAddressV2':
      return { kind: 'address-v2', held: credentials.addressV2 }
    case 'sorobanCredentialsAddressWithDelegates':
      return { kind: 'address-with-delegates', held: credentials.addressWithDelegates.addressCredentials }
    default:
      return undefined
  }
}

/** Root first, depth first; on a stack of our own, since the depth is the caller's choice. */
export function treeOf(root: xdr.SorobanAuthorizedInvocation): InvocationView[] {
  const found: InvocationView[] = []
  const waiting = [root]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    found.push(authorizedOf(node.function))
    for (let at = node.subInvocations.length - 1; at >= 0; at--) {
      const child = node.subInvocations[at]
      if (child !== undefined) waiting.push(child)
    }
  }
  return found
}

function authorizedOf(fn: xdr.SorobanAuthorizedFunction): InvocationView {
  switch (fn.type) {
    case 'sorobanAuthorizedFunctionTypeContractFn':
      return callOf(fn.contractFn)
    case 'sorobanAuthorizedFunctionTypeCreateContractHostFn':
    case 'sorobanAuthorizedFunctionTypeCreateContractV2HostFn':
      return { kind: 'create-contract' }
    default:
      return { kind: 'unknown', name: 'authorized function' }
  }
}
