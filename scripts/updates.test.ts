import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ROOT } from './workflow-files.ts';

/**
 * Renovate's own schema comes with Renovate, which is several times as large as Calculaud; here is what would go wrong
 * without a word: rules that are gone, and patterns that match nothing any more.
 */

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const renovate = z
  .looseObject({
    extends: z.array(z.string()),
    customManagers: z.array(
      z.strictObject({
        description: z.string(),
        customType: z.literal('regex'),
        managerFilePatterns: z.array(z.string().regex(/^\/.+\/$/)),
        matchStrings: z.array(z.string()),
        datasourceTemplate: z.string(),
      }),
    ),
    packageRules: z.array(z.looseObject({ enabled: z.boolean().optional() })),
  })
  .parse(JSON.parse(read('renovate.json')));

describe('renovate.json', () => {
  test('follows the best practices: digests, exact versions, packages of some age, a lock file made anew', () => {
    expect(renovate.extends).toContain('config:best-practices');
    expect(renovate.extends).toContain('helpers:pinGitHubActionDigestsToSemver');
  });

  test('titles its pull requests as they have to be', () => {
    expect(renovate.extends).toContain(':semanticCommits');
  });

  test.each([
    ['the oldest Node', { matchManagers: ['nvm', 'nodenv'], enabled: false }],
    ['the engines of packages', { matchDepTypes: ['engines'], enabled: false }],
    ['the types of the oldest Node', { matchPackageNames: ['@types/node'], allowedVersions: '<21' }],
    ['the major version of PostgreSQL', { allowedVersions: String.raw`/^18\b/` }],
  ])('leaves alone what is decided elsewhere: %s', (_what, rule) => {
    expect(renovate.packageRules).toContainEqual(expect.objectContaining(rule));
  });

  test.each([
    ['scripts/lint-binaries.ts', 'github.com/rhysd/actionlint'],
    ['packages/testing/src/s3-binary.ts', 'github.com/versity/versitygw'],
    ['apps/cli/src/environment/schema.ts', 'postgres'],
    ['apps/cli/src/environment/schema.ts', 'clamav/clamav'],
  ])('finds what %s names: %s', (path, name) => {
    const found = renovate.customManagers
      .filter(({ managerFilePatterns }) =>
        managerFilePatterns.some((pattern) => new RegExp(pattern.slice(1, -1)).test(path)),
      )
      .flatMap(({ matchStrings }) => matchStrings)
      .flatMap((pattern) => [...read(path).matchAll(new RegExp(pattern, 'g'))])
      .map(({ groups }) => ({
        name: groups?.['packageName'] ?? groups?.['depName'],
        version: groups?.['currentValue'],
      }));
    expect(found).toContainEqual({ name, version: expect.stringMatching(/^v?\d/) });
  });

  test('does not take our own images for those of others', () => {
    const patterns = renovate.customManagers.flatMap(({ matchStrings }) => matchStrings);
    expect(
      patterns.filter((pattern) => new RegExp(pattern).test(".default('calculaud-gateway:0.1.0')")),
    ).toEqual([]);
  });

  test('has patterns that its engine (RE2) reads', () => {
    for (const { matchStrings } of renovate.customManagers) {
      for (const pattern of matchStrings) expect(pattern).not.toMatch(/\(\?<?[=!]|\\\d/);
    }
  });
});

describe('releases', () => {
  const config = z
    .looseObject({
      packages: z.record(z.string(), z.looseObject({ 'release-type': z.string() })),
      draft: z.boolean(),
    })
    .parse(JSON.parse(read('release-please-config.json')));

  test('are of one product, with one version', () => {
    expect(Object.entries(config.packages)).toEqual([
      ['.', { 'release-type': 'node', 'package-name': 'calculaud' }],
    ]);
    expect(config).toMatchObject({ 'include-component-in-tag': false });
  });

  test('are drafts until everything is beside them', () => {
    expect(config.draft).toBe(true);
  });

  test('say the last version where the pipeline looks for it', () => {
    expect(read('.release-please-manifest.json')).toMatch(/"\.": "\d+\.\d+\.\d+"/);
  });
});
