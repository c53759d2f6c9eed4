import { rotate, showRotation } from '../service/control/index.ts'
import { type ControlRoute, NO_KEY, route } from './route-control.ts'
import * as s from './schemas-control.ts'

export const ROTATION_ROUTES: readonly ControlRoute[] = [
  route(
    {
      method: 'GET',
      path: '/v1/keys/{key}/rotation',
      name: 'keys.rotation',
      summary: 'Where the rotation of a key stands, and what may come next',
      needs: 'keys:read',
      param: 'key',
      answer: s.RotationAnswer,
      refusals: NO_KEY,
    },
    (parts, _, { object }) => showRotation(parts, object),
  ),
  route(
    {
      method: 'POST',
      path: '/v1/keys/{key}/rotation',
      name: 'keys.rotate',
      summary: 'One step of a rotation: both versions change at one stroke, or nothing does',
      needs: 'keys:create',
      writes: true,
      param: 'key',
      body: s.RotateBody,
      answer: s.RotatedAnswer,
      refusals: {
        ...NO_KEY,
        409: 'this step may not come now',
        502: 'the key service refused or answered wrongly',
        504: 'it did not answer in time',
      },
    },
    (parts, granted, { object, body }) => rotate(parts, granted, { key: object, ...body }),
    (parts, _, { object }) => showRotation(parts, object),
  ),
]
