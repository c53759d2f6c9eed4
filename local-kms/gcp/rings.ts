import { findRing, operation } from './context.ts'
import { alreadyExists, badField, invalidArgument, notFound } from './errors.ts'
import { textOf } from './known-types.ts'
import { listPage } from './list.ts'
import { isId, requireName } from './names.ts'

/** @throws INVALID_ARGUMENT */
export function checkId(value: unknown, field: string): string {
  if (typeof value === 'string' && isId(value)) return value
  throw invalidArgument(`The value of field '${field}' must match the regular expression [a-zA-Z0-9_-]{1,63}.`)
}

export const CreateKeyRing = operation(
  (request, context) => {
    const parent = requireName(request['parent'], 'parent', 'location')
    context.authorize('cloudkms.keyRings.create', parent.full)
    const name = `${parent.full}/keyRings/${checkId(request['keyRingId'], 'key_ring_id')}`
    if (context.store.rings.has(name)) throw alreadyExists('KeyRing', name)
    const ring = { name, createTime: context.now }
    context.store.rings.set(name, ring)
    return { ...ring }
  },
  { admin: true },
)

export const GetKeyRing = operation((request, context) => {
  const name = requireName(request['name'], 'name', 'keyRing')
  context.authorize('cloudkms.keyRings.get', name.full)
  return { ...findRing(context, name.full) }
})

export const ListKeyRings = operation((request, context) => {
  const parent = requireName(request['parent'], 'parent', 'location')
  context.authorize('cloudkms.keyRings.list', parent.full)
  const rings = [...context.store.rings.values()].filter(ring => ring.name.startsWith(`${parent.full}/`))
  return listPage(
    request,
    'keyRings',
    rings.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(ring => ({ ...ring })),
  )
})

/** Names as the service lists them; any other place works as well. */
const LOCATIONS = ['global', 'us', 'europe', 'asia1', 'us-central1', 'us-east1', 'us-west1'].concat([
  'europe-west1',
  'europe-west3',
  'europe-west4',
  'asia-northeast1',
  'asia-southeast1',
])

const showLocation = (project: string, id: string): Record<string, unknown> => ({
  name: `${project}/locations/${id}`,
  locationId: id,
  labels: id === 'global' ? undefined : new Map([['cloud.googleapis.com/region', id]]),
  metadata: { type: 'google.cloud.kms.v1.LocationMetadata', value: { hsmAvailable: true } },
})

export const ListLocations = operation((request, context) => {
  const project = textOf(request, 'name')
  if (!/^projects\/[^/]+$/.test(project)) throw badField('name', `Invalid project name '${project}'.`)
  context.authorize('cloudkms.locations.list', project)
  const page = listPage(
    request,
    'locations',
    LOCATIONS.toSorted().map(id => showLocation(project, id)),
  )
  return { locations: page['locations'], nextPageToken: page['nextPageToken'] }
})

export const GetLocation = operation((request, context) => {
  const name = requireName(request['name'], 'name', 'location')
  context.authorize('cloudkms.locations.get', name.full)
  if (name.location === '') throw notFound('Location', name.full)
  return showLocation(`projects/${name.project}`, name.location)
})
