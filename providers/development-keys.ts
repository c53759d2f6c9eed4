import { toHex } from '../src/bytes/hex.ts'
import type { Scheme } from '../src/domain/provider.ts'

/** Label, scheme, public key: what `devPublicKey` gives for the labels everybody should use. Generated; a test derives it again. */
export const PUBLISHED: readonly (readonly [label: string, scheme: Scheme, publicKey: string])[] = [
  ['demo-stellar', 'ed25519', '917995087b3a0e9b20659c89b2a688be81a8d252555b34b2295091f36191cdf1'],
  [
    'demo-stellar',
    'ecdsa-secp256k1',
    '04133746790ab0ff498b461e9e1e521c42028fb6bada1de2c452abe8836c9305d13a54551aa1d2cd0cbc98108d03149226969085babd21dd955b6e1f69971dcd8c',
  ],
  ['demo-stellar-decrypt', 'ed25519', '5c91872c93d93e8e9b7dec290d56931bd1a3a6e7daa770026b41be3b34ee9d49'],
  [
    'demo-stellar-decrypt',
    'ecdsa-secp256k1',
    '0404bee58b71fe053c6db319f9f3ada3e9f2ea9ef60f68fca3301847e0144917773c454c716c3a879a6bf2b06580cd9ca68823734e6f02289230d5929045eef3f4',
  ],
  ['demo-evm', 'ed25519', 'c1573035857cebe224984983889bc14e824c9fa01887154409e57c05749886e8'],
  [
    'demo-evm',
    'ecdsa-secp256k1',
    '0448f23251126d8dd9f0a248ed83b9d95558e04490952b11accccca4ede8bab908576d47ce2042544eb26dab11ddd8f9a6c81e4395fa112414c15e8665199812f3',
  ],
  ['demo-evm-decrypt', 'ed25519', '6065791348ac057bcc6c0d6dff4af9e15f702deccca8c6e40039a98c669fe358'],
  [
    'demo-evm-decrypt',
    'ecdsa-secp256k1',
    '04c82c13916351d5b457b3e10e293bba90fd414838235fddbfa2f4d6592c9ecdb52278d0c94d45f43f147669b775ba6f868e17eab83ae14eebeba418ea44b08c8b',
  ],
  ['treasury', 'ed25519', '77cbab1a680d96421b47883c5bf61674009bef6301941a8921f76954112442e5'],
  [
    'treasury',
    'ecdsa-secp256k1',
    '048b323414423297f1cdd96473dccfae1c97e514a222c5b1a8e527eeee964d196c965a7b74ec4c889f251f8377a0061cf92b68434c0dbfd9409384c72fc7195ea0',
  ],
  ['deployer', 'ed25519', 'a743276832de89b63f5ef92c88569f629f755884b1ecb165178acfb06695389c'],
  [
    'deployer',
    'ecdsa-secp256k1',
    '04ba6537c670b07914a8619d71fd5b924cdf7d09ddb2911e15c9bf69a8c83a2baf25174786dd8db3c0c1d46db3e61f564c39fe4a7794bc6be81381cefd7a81fe14',
  ],
  ['test-1', 'ed25519', '44a1ae0989eba99078437c933a3ee5518388fd8c4d4ebbbcc9089f5acf7e9ec8'],
  [
    'test-1',
    'ecdsa-secp256k1',
    '044730308c991ad92b39fa2b395921d519cbab314531eab351f1044b2bc7fec959196b28ad185ad812769d720721e99e84e82cf7a1afdfd66d0521cc2434ab6757',
  ],
  ['test-2', 'ed25519', '08369a18d9e44adc1dc8911571dc7a0cd108ec2adc0b94d8cd4e923c542a7d58'],
  [
    'test-2',
    'ecdsa-secp256k1',
    '049cdf5083ffa24abb5b9ac26e8f76b706d76aec41ba93abae2299cafcd914eae4978d548a1887249d45c2b291d696f169fcf735348c8b3fb85a766515d943a26f',
  ],
  ['test-3', 'ed25519', '3d308712b011a948d18ba1ba83324cc3ef637de5112e24d739d6942e423c1d74'],
  [
    'test-3',
    'ecdsa-secp256k1',
    '0490551e128a0075260409f3318b2befdccd1d8faa2f6fc66f73dbc36b72c00b401feb6e73c8f12bf4e94b1f6637db9507ead64fd3b2369b25165afc91c26fae8f',
  ],
  ['test-4', 'ed25519', 'eddf63cc810ee008ab5b765dba0004af194df202a3b2c5abf9efe27e7aa742aa'],
  [
    'test-4',
    'ecdsa-secp256k1',
    '048d06adea6d958819ce3bc831a8defd981d2790151dd4ac880636416a8a12b8570dd16524ad09c0f1b18f92d135dbac759f5676610f313f2e34ff366db88672ea',
  ],
  ['test-5', 'ed25519', '7e929fbbc03299cbdf93dfe37a55c09a12b768fc716691df65cf0c32ae12f6db'],
  [
    'test-5',
    'ecdsa-secp256k1',
    '04a865404cfde1c692106dc2057eeacfe33b6fc75407868fd04429039c5dad2e4efac7ed16023fc583be3ac6a6720816fe7e8f0ad865a13785782c3e3fb498c5b2',
  ],
  ['test-6', 'ed25519', '0fc7e38b3e329decf87db1797bec758a238e02b9c7af07cb6d0afbafa46b9c1f'],
  [
    'test-6',
    'ecdsa-secp256k1',
    '04a8b465b47ec377ef487bbd3ee623e55b40ceeb497d39f3b16d0c38de15270b6a7c6cd6d39757372f9c54cc8b8b7d2bdedc2334a6ebf7762c68058adceb4219e3',
  ],
  ['test-7', 'ed25519', '9723ed25f0cf2ecbfe2d307018eee7f470f10fb4dbca098798374bf72fd6cf5f'],
  [
    'test-7',
    'ecdsa-secp256k1',
    '040fa700189aca973ede97761bf780216a3eae2591751d3563fcedbbaf7104689a5ae0b42697e97f87bfa4dfd0babb3d149dda165710a06206112fdc888df6d3cd',
  ],
  ['test-8', 'ed25519', 'dffd4087922aa5914d6cd966e92484226a386a7fff5ceab54451e0b5e03ebb99'],
  [
    'test-8',
    'ecdsa-secp256k1',
    '04de2c8d92c0bcb00e94c1e7b45f983ac9368d714c4471407a2d1c0b7273bb424a1790990bcb7319e0a15153b5bfee9c44e17ed4ef19411f73ee031deb64bf661b',
  ],
]

/** Keys of other people's tools and standards whose private halves are printed in their documentation. */
export const PUBLISHED_ELSEWHERE: readonly (readonly [source: string, publicKey: string])[] = [
  [
    'Hardhat and Anvil, test account 0',
    '048318535b54105d4a7aae60c08fc45f9687181b4fdfc625bd1a753fa7397fed753547f11ca8696646f2f3acb08e31016afac23e630c5d11f59f61fef57b0d2aa5',
  ],
  [
    'Hardhat and Anvil, test account 1',
    '04ba5734d8f7091719471e7f7ed6b9df170dc70cc661ca05e688601ad984f068b0d67351e5f06073092499336ab0839ef8a521afd334e53807205fa2f08eec74f4',
  ],
  [
    'Hardhat and Anvil, test account 2',
    '049d9031e97dd78ff8c15aa86939de9b1e791066a0224e331bc962a2099a7b1f0464b8bbafe1535f2301c72c2cb3535b172da30b02686ab0393d348614f157fbdb',
  ],
  [
    'Hardhat and Anvil, test account 3',
    '0420b871f3ced029e14472ec4ebc3c0448164942b123aa6af91a3386c1c403e0ebd3b4a5752a2b6c49e574619e6aa0549eb9ccd036b9bbc507e1f7f9712a236092',
  ],
  [
    'Hardhat and Anvil, test account 4',
    '04bf6ee64a8d2fdc551ec8bb9ef862ef6b4bcb1805cdc520c3aa5866c0575fd3b514c5562c3caae7aec5cd6f144b57135c75b6f6cea059c3d08d1f39a9c227219d',
  ],
  [
    'Hardhat and Anvil, test account 5',
    '0437b84de6947b243626cc8b977bb1f1632610614842468dfa8f35dcbbc55a515e47f6fe259cffc671a719eaef444a0d689b16a90051985a13661840cf5e221503',
  ],
  [
    'Hardhat and Anvil, test account 6',
    '049a4ab212cb92775d227af4237c20b81f4221e9361d29007dfc16c79186b577cb6ba3f1b582ad0b5572c93f47e7506d66df7f2af05fa1828de0e511aac7b97828',
  ],
  [
    'Hardhat and Anvil, test account 7',
    '0401f2bf1fa920e77a43c7aec2587d0b3814093420cc59a9b3ad66dd5734dda7be6f8b7de790eac3a720fd8e4bcb9eae9434f843d3cec111d9e07adeddeae090f2',
  ],
  [
    'Hardhat and Anvil, test account 8',
    '04931e7fda8da226f799f791eefc9afebcd7ae2b1b19a03c5eaa8d72122d9fe74d887a3962ff861190b531ab31ee82f0d7f255dfe3ab73ca627bd70ab3d1cbb417',
  ],
  [
    'Hardhat and Anvil, test account 9',
    '043255458e24278e31d5940f304b16300fdff3f6efd3e2a030b5818310ac67af45e28d057e6a332d07e0c5ab09d6947fd4eed1a646edbf224e2d2fec6f49f90abc',
  ],
  ['Stellar standalone network, root account', '7376fde88e4cd61cc0fb294a1786b3f1d061f5f2f1ca57465faa932211b946d6'],
  ['countersign dev, demo-stellar', '8b2c41131fc6760da2adcb606030730e28026be392b7cd9fb457a00f87722196'],
  ['countersign dev, demo-stellar-decrypt', '88749d5667539f33d4646b3d8e35478fb0bf6a7dae81b70f71e224211ad9ffc3'],
  ['countersign dev, demo-mock-decrypt', 'c64d0e9e113f737dddafa01a9e501af9d5b06a90632fe630a0319549b52c6ee6'],
  ['countersign examples, payee', '11058eeb8d1bf55fa02fd15ab4dce7d567a4c2ab43bfc83ce831297eb5ad41e6'],
  ['RFC 8032 section 7.1, test 1', 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'],
  ['RFC 8032 section 7.1, test 2', '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'],
  ['RFC 8032 section 7.1, test 3', 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025'],
  [
    'EIP-155, example',
    '044bc2a31265153f07e70e0bab08724e6b85e217f8cd628ceb62974247bb493382ce28cab79ad7119ee1ad3ebcdb98a16805211530ecc6cfefa1b88e6dff99232a',
  ],
]

const blocked: ReadonlySet<string> = new Set([
  ...PUBLISHED.map(([, , publicKey]) => publicKey),
  ...PUBLISHED_ELSEWHERE.map(([, publicKey]) => publicKey),
])

/** Labels whose keys are published here; prefer them. */
export const DEVELOPMENT_LABELS: readonly string[] = Object.freeze([...new Set(PUBLISHED.map(([label]) => label))])

/**
 * Whether a public key, in the form of `KeyFacts`, is one whose private half everybody knows. For every place where a
 * key is adopted, imported or started with in production (T69). It cannot know the keys of labels somebody made up: the
 * mock stays out of production by itself.
 */
export const isDevelopmentKey = (publicKey: Uint8Array): boolean => blocked.has(toHex(publicKey))

/** The passphrase of `countersign dev`: as public as those keys, long enough to be taken, and copied with examples. */
export const DEVELOPMENT_PASSPHRASE = 'countersign dev passphrase, printed in its source: 7gT2 kQ9w Zx4p'
