import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'

/** Requests around JWT and Kubernetes logins, with keys made for the run; a cluster that says yes to whatever it is asked. */
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PEM = JSON.stringify(publicKey.export({ type: 'spki', format: 'pem' }))

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
function jwt(claims: object): string {
  const signed = `${part({ alg: 'ES256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const NOW = Math.floor(Date.now() / 1000)
const CLAIMS = { iss: 'me', sub: 'signer', aud: 'bao', exp: NOW + 600, iat: NOW, nbf: NOW, role: 'x' }
const GOOD = jwt(CLAIMS)
const spoiled = `${GOOD.slice(0, -8)}AAAAAAAA`

const jwtLogin = (role: string, token: string, more = ''): string =>
  `POST auth/jwt/login {"role":"${role}","jwt":"${token}"} @none${more}`

export const JWT_LINES: readonly string[] = [
  'POST sys/auth/jwt {"type":"jwt"}',
  'GET auth/jwt/config',
  'GET auth/jwt/login @none',
  jwtLogin('r', 'a.b.c'),
  'POST auth/jwt/config {}',
  'POST auth/jwt/config {"jwt_validation_pubkeys":["zz"]}',
  `POST auth/jwt/config {"jwt_validation_pubkeys":[${PEM}],"bound_issuer":"me"}`,
  'GET auth/jwt/config',
  'POST auth/jwt/role/r {"role_type":"jwt"}',
  'POST auth/jwt/role/r {"role_type":"jwt","user_claim":"sub"}',
  'POST auth/jwt/role/r {"role_type":"zz","user_claim":"sub","bound_audiences":"x"}',
  'POST auth/jwt/role/r {"user_claim":"sub","bound_audiences":"x"}',
  'POST auth/jwt/role/r {"role_type":"jwt","user_claim":"sub","bound_audiences":["bao"],"bound_subject":"signer","token_policies":["sign"],"token_ttl":"1h"}',
  'POST auth/jwt/role/c {"role_type":"jwt","user_claim":"sub","bound_claims":{"role":"x"},"claim_mappings":{"role":"named"},"policies":"sign","ttl":"1h"}',
  'GET auth/jwt/role/r',
  'GET auth/jwt/role/c',
  'GET auth/jwt/role/nope',
  'GET auth/jwt/role?list=true',
  jwtLogin('r', GOOD, ' >t=auth.client_token'),
  'GET auth/token/lookup-self @t',
  'POST auth/token/renew-self @t',
  jwtLogin('nope', GOOD),
  `POST auth/jwt/login {"jwt":"${GOOD}"} @none`,
  'POST auth/jwt/login {"role":"r"} @none',
  jwtLogin('r', 'a.b.c'),
  jwtLogin('r', 'abc'),
  jwtLogin('r', spoiled),
  jwtLogin('r', jwt({ ...CLAIMS, exp: NOW - 1000, nbf: NOW - 5000, iat: NOW - 5000 })),
  jwtLogin('r', jwt({ ...CLAIMS, nbf: NOW + 1000 })),
  jwtLogin('r', jwt({ ...CLAIMS, iat: NOW + 1000 })),
  jwtLogin('r', jwt({ ...CLAIMS, aud: 'x' })),
  jwtLogin('r', jwt({ ...CLAIMS, aud: ['x', 'bao'] })),
  jwtLogin('r', jwt({ ...CLAIMS, sub: 'x' })),
  jwtLogin('r', jwt({ ...CLAIMS, iss: 'x' })),
  jwtLogin('r', jwt({ iss: 'me', sub: 'signer', aud: 'bao' })),
  jwtLogin('c', GOOD),
  jwtLogin('c', jwt({ ...CLAIMS, aud: undefined })),
  jwtLogin('c', jwt({ ...CLAIMS, aud: undefined, role: 'y' })),
  jwtLogin('c', jwt({ ...CLAIMS, aud: undefined, role: undefined })),
  'DELETE auth/jwt/role/c',
  'GET auth/jwt/role/c',
]

const ACCOUNT = {
  iss: 'kubernetes/serviceaccount',
  aud: ['https://kubernetes.default.svc'],
  sub: 'system:serviceaccount:pay:signer',
  exp: NOW + 600,
  iat: NOW,
  nbf: NOW,
  'kubernetes.io': { namespace: 'pay', serviceaccount: { name: 'signer', uid: 'u-1' } },
}
const inside = (namespace: string, name: string): object => ({
  ...ACCOUNT,
  'kubernetes.io': { namespace, serviceaccount: { name, uid: 'u-2' } },
})
const clusterLogin = (role: string, claims: object, more = ''): string =>
  `POST auth/kubernetes/login {"role":"${role}","jwt":"${jwt(claims)}"} @none${more}`

/** @param host  of the cluster */
export const kubernetesLines = (host: string): readonly string[] => [
  'POST sys/auth/kubernetes {"type":"kubernetes"}',
  'GET auth/kubernetes/config',
  'POST auth/kubernetes/config {}',
  `POST auth/kubernetes/config {"kubernetes_host":"${host}","disable_local_ca_jwt":true}`,
  `POST auth/kubernetes/config {"kubernetes_host":"${host}","pem_keys":["zz"],"kubernetes_ca_cert":"x","disable_local_ca_jwt":true}`,
  `POST auth/kubernetes/config {"kubernetes_host":"${host}","pem_keys":[${PEM}],"kubernetes_ca_cert":"x","disable_local_ca_jwt":true}`,
  'POST auth/kubernetes/role/r {}',
  'POST auth/kubernetes/role/r {"bound_service_account_names":["signer"]}',
  'POST auth/kubernetes/role/r {"bound_service_account_names":["signer"],"bound_service_account_namespaces":["pay"],"policies":["sign"],"ttl":"20m"}',
  'POST auth/kubernetes/role/a {"bound_service_account_names":"sig*","bound_service_account_namespaces":"p*","token_policies":["sign"],"audience":"bao","alias_name_source":"serviceaccount_name"}',
  'POST auth/kubernetes/role/all {"bound_service_account_names":"*","bound_service_account_namespaces":"*","token_policies":["sign"]}',
  'GET auth/kubernetes/role/r',
  'GET auth/kubernetes/role/a',
  'GET auth/kubernetes/role/nope',
  'GET auth/kubernetes/role?list=true',
  clusterLogin('r', ACCOUNT, ' >t=auth.client_token'),
  'GET auth/token/lookup-self @t',
  clusterLogin('nope', ACCOUNT),
  `POST auth/kubernetes/login {"jwt":"${jwt(ACCOUNT)}"} @none`,
  'POST auth/kubernetes/login {"role":"r"} @none',
  'POST auth/kubernetes/login {"role":"r","jwt":"abc"} @none',
  `POST auth/kubernetes/login {"role":"r","jwt":"${jwt(ACCOUNT).slice(0, -8)}AAAAAAAA"} @none`,
  clusterLogin('a', ACCOUNT),
  clusterLogin('a', { ...ACCOUNT, aud: ['bao'] }),
  clusterLogin('a', { ...ACCOUNT, aud: 'bao' }),
  clusterLogin('all', ACCOUNT),
  clusterLogin('r', inside('x', 'signer')),
  clusterLogin('r', inside('pay', 'x')),
  clusterLogin('r', { ...ACCOUNT, exp: NOW - 1000 }),
  clusterLogin('r', { ...ACCOUNT, nbf: NOW + 1000 }),
  clusterLogin('r', { ...ACCOUNT, iss: 'x' }),
  clusterLogin('r', { ...ACCOUNT, 'kubernetes.io': undefined }),
  'DELETE auth/kubernetes/role/r',
]

/** Answers TokenReview for whatever token comes. */
export async function startCluster(): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => void chunks.push(chunk))
    request.on('end', () => {
      const { spec } = JSON.parse(Buffer.concat(chunks).toString()) as { spec: { token: string; audiences?: string[] } }
      const claims = JSON.parse(Buffer.from(spec.token.split('.')[1]!, 'base64url').toString()) as typeof ACCOUNT
      const user = { username: claims.sub, uid: claims['kubernetes.io']?.serviceaccount.uid ?? '' }
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ spec, status: { authenticated: true, audiences: spec.audiences, user } }))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, stop: () => new Promise(resolve => server.close(() => resolve())) }
}
