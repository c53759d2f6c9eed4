import type { xdr } from '@stellar/stellar-sdk/base'
import type { AuthorizationView, InvocationView } from '../../domain/stellar.ts'
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

export function authorizationOf(entry: xdr.SorobanAuthorizationEntry): AuthorizationView {
  const invocations = treeOf(entry.rootInvocation)
  const { credentials } = entry
  switch (credentials.type) {
    case 'sorobanCredentialsSourceAccount':
      return { credentials: 'source-account', address: null, invocations }
    case 'sorobanCredentialsAddress':
      return { credentials: 'address', address: strkeyOf(credentials.address.address), invocations }
    case 'sorobanCredentialsAddressV2':
      return { credentials: 'address-v2', address: strkeyOf(credentials.addressV2.address), invocations }
    case 'sorobanCredentialsAddressWithDelegates': {
      const { address } = credentials.addressWithDelegates.addressCredentials
      return { credentials: 'address-with-delegates', address: strkeyOf(address), invocations }
    }
    default:
      return { credentials: 'unknown', address: null, invocations }
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
