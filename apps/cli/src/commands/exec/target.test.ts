import { expect, test } from 'vitest';
import { NOTHING_RELEASED } from '../../stack/release-state.ts';
import { parseTarget } from './target.ts';

test.each([
  ['api', { service: 'api-green', slot: undefined }],
  ['api.2', { service: 'api-green', slot: 2 }],
  ['api-blue', { service: 'api-blue', slot: undefined }],
  ['api-blue.12', { service: 'api-blue', slot: 12 }],
  ['worker', { service: 'worker', slot: undefined }],
  ['worker.x', { service: 'worker.x', slot: undefined }],
])('%s', (text, expected) => {
  expect(parseTarget(text, { ...NOTHING_RELEASED, active: 'green' })).toEqual(expected);
});
