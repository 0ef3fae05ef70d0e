import { expect, test } from 'vitest';
import { isOfBuild, subjectOf } from './sbom.ts';

const document = (component: object, bomFormat = 'CycloneDX'): string =>
  JSON.stringify({ bomFormat, metadata: { component } });

test('a list of parts says what it is about, and which commit where it knows it', () => {
  expect(subjectOf(document({ name: 'calculaud', version: '1.0.0' }))).toEqual({
    name: 'calculaud',
    version: '1.0.0',
    commit: undefined,
  });
  const purl = 'pkg:generic/calculaud@1.0.0?vcs_revision=abc&x=y';
  expect(subjectOf(document({ name: 'calculaud', purl }))).toMatchObject({ commit: 'abc' });
});

test.each([document({ name: 'calculaud' }, 'SPDX'), document({}), '{}', 'no json', ''])(
  '%s is none',
  (text) => {
    expect(subjectOf(text)).toBeUndefined();
  },
);

test.each([
  ['1.0.0', 'abc', 'abc', true],
  ['1.0.0', undefined, 'abc', true],
  ['1.0.0', 'abc', null, true],
  ['1.0.0', 'other', 'abc', false],
  ['1.0.1', 'abc', 'abc', false],
  [undefined, undefined, 'abc', false],
])('%s of commit %s for 1.0.0 of commit %s: %s', (version, commit, built, fits) => {
  const product = { version: '1.0.0', commit: built, image: 'calculaud:1.0.0' };
  expect(isOfBuild({ name: 'calculaud', version, commit }, product)).toBe(fits);
});
