import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Checkout } from './testing/checkout.ts';

const MANIFEST = '.release-please-manifest.json';
const manifest = (version: string): string => JSON.stringify({ '.': version }, undefined, 2);

let checkout: Checkout;

beforeEach(() => {
  checkout = new Checkout();
  checkout.commit('before', { [MANIFEST]: manifest('1.0.0') });
});

afterEach(() => {
  checkout.remove();
});

/** GitHub says where the main branch is, and which version it names there. */
function mainIs(commit: string, version: string): void {
  checkout.program(
    'gh',
    `case $2 in */commits/main) echo ${commit} ;; */contents/*) echo '${manifest(version)}' ;; esac`,
  );
}

describe('fresh.sh', () => {
  test('the head of the main branch is fresh', () => {
    mainIs(checkout.commit('change', { a: 'b' }), '1.0.0');
    expect(checkout.run('fresh.sh').outputs).toEqual({ release: 'false', version: '1.0.0', fresh: 'true' });
  });

  test('a commit that the main branch has left behind is not; its run has nothing to do', () => {
    checkout.commit('change', { a: 'b' });
    mainIs('1111111111111111111111111111111111111111', '1.0.0');
    const { status, outputs, stderr } = checkout.run('fresh.sh');
    expect({ status, outputs }).toEqual({
      status: 0,
      outputs: { release: 'false', version: '1.0.0', fresh: 'false' },
    });
    expect(stderr).toContain('has moved on');
  });

  test('a commit that changes the version makes a release, and stays fresh when others follow', () => {
    checkout.commit('release', { [MANIFEST]: manifest('1.1.0') });
    mainIs('1111111111111111111111111111111111111111', '1.1.0');
    expect(checkout.run('fresh.sh').outputs).toEqual({ release: 'true', version: '1.1.0', fresh: 'true' });
  });

  test('until there is a newer release', () => {
    checkout.commit('release', { [MANIFEST]: manifest('1.1.0') });
    mainIs('1111111111111111111111111111111111111111', '1.2.0');
    expect(checkout.run('fresh.sh').outputs).toMatchObject({ release: 'true', fresh: 'false' });
  });

  test('the first manifest makes no release: nothing was there to be released', () => {
    checkout.commit('removed', { [MANIFEST]: null });
    mainIs(checkout.commit('first', { [MANIFEST]: manifest('0.0.0') }), '0.0.0');
    expect(checkout.run('fresh.sh').outputs).toMatchObject({ release: 'false', fresh: 'true' });
  });

  test.each([
    ['where the main branch is', 'exit 1'],
    ['which version it names', 'case $2 in */commits/main) echo 1111 ;; *) exit 1 ;; esac'],
  ])('a question that GitHub does not answer is a fault: %s', (_what, gh) => {
    checkout.commit('release', { [MANIFEST]: manifest('1.1.0') });
    checkout.program('gh', gh);
    const { status, outputs } = checkout.run('fresh.sh');
    expect(status).not.toBe(0);
    expect(outputs).toEqual({});
  });
});
