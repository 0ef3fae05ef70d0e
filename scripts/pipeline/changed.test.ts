import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Checkout } from './testing/checkout.ts';

let checkout: Checkout;
let base: string;

beforeEach(() => {
  checkout = new Checkout();
  base = checkout.commit('before', {
    'apps/server/src/api.ts': 'a',
    'docs/adr/0001.md': 'a',
    'README.md': 'a',
  });
});

afterEach(() => {
  checkout.remove();
});

const changed = (from: string | undefined = base) =>
  checkout.run('changed.sh', from === undefined ? {} : { BASE: from }).outputs;

describe('changed.sh', () => {
  test.each([
    ['the product', 'apps/server/src/api.ts', { product: 'true', image: 'true', pipelines: 'false' }],
    ['a test', 'apps/server/src/api.test.ts', { product: 'true', image: 'false', pipelines: 'false' }],
    ['the documentation', 'docs/adr/0001.md', { product: 'false', image: 'false', pipelines: 'false' }],
    [
      'the runbooks, which lie in the image',
      'docs/operations/health.md',
      { product: 'false', image: 'true', pipelines: 'false' },
    ],
    [
      'the gateway of the stack',
      'deploy/gateway/Dockerfile',
      { product: 'true', image: 'true', pipelines: 'false' },
    ],
    [
      'the README, whose commands are tested',
      'README.md',
      { product: 'true', image: 'false', pipelines: 'false' },
    ],
    ['a workflow', '.github/workflows/ci.yml', { product: 'true', image: 'false', pipelines: 'true' }],
    ['a script', 'scripts/pipeline/title.sh', { product: 'true', image: 'false', pipelines: 'true' }],
    [
      'the recipe of the image',
      'deploy/image/Dockerfile',
      { product: 'true', image: 'true', pipelines: 'false' },
    ],
    ['a path nobody thought of', 'new/file', { product: 'true', image: 'false', pipelines: 'false' }],
  ])('sees %s', (_what, path, expected) => {
    checkout.commit('change', { [path]: 'b' });
    expect(changed()).toEqual(expected);
  });

  test('sees what was removed, and all commits of a change', () => {
    checkout.commit('one', { 'apps/server/src/api.ts': null });
    checkout.commit('two', { 'docs/adr/0001.md': 'b' });
    expect(changed()).toMatchObject({ image: 'true' });
  });

  test('leaves out what came to the main branch in the meantime', () => {
    checkout.git('switch', '--quiet', '--create', 'change');
    checkout.commit('change', { 'docs/adr/0001.md': 'b' });
    checkout.git('switch', '--quiet', 'main');
    const main = checkout.commit('of others', { 'apps/server/src/api.ts': 'b' });
    checkout.git('switch', '--quiet', 'change');
    expect(changed(main)).toEqual({ product: 'false', image: 'false', pipelines: 'false' });
  });

  test.each([undefined, '', '0000000000000000000000000000000000000000'])(
    'takes everything as changed when there is nothing to compare with (%s)',
    (from) => {
      expect(checkout.run('changed.sh', from === undefined ? {} : { BASE: from }).outputs).toEqual({
        product: 'true',
        image: 'true',
        pipelines: 'true',
      });
    },
  );
});
