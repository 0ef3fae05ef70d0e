import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { IMAGES } from './image/images.ts';
import { ACTIONLINT, missingLinter, ZIZMOR } from './lint-binaries.ts';
import { promotionFaults } from './promotion.ts';
import { EXAMPLE } from './workflow-example.ts';
import { readPipelines, ROOT, workflowFile } from './workflow-files.ts';
import { rules } from './workflow-rules.ts';
import { ONLY_THERE, pipelineTests } from './workflow-scripts.ts';

const pipelines = readPipelines();

const file = (name: string) => {
  const found = pipelines.workflows.find(({ path }) => path === `.github/workflows/${name}`);
  if (found === undefined) throw new Error(`${name} is not there`);
  return found;
};

describe('the pipelines', () => {
  test('are read', () => {
    expect(pipelines.workflows.map(({ path }) => path)).toContain('.github/workflows/ci.yml');
    expect(pipelines.actions.map(({ path }) => path)).toContain('.github/actions/setup/action.yml');
  });

  test.each(rules)('$rule', ({ rule, reason, violations }) => {
    expect(violations(pipelines), `Rule: ${rule}.\nReason: ${reason}.`).toEqual([]);
  });
});

describe.each(rules)('the rule "$rule"', ({ violations, broken }) => {
  test('lets pass what is allowed', () => {
    expect(violations({ workflows: [workflowFile('example.yml', EXAMPLE)], actions: [] })).toEqual([]);
  });

  test.each(broken)('finds %j → %j', (from, to) => {
    expect(EXAMPLE).toContain(from);
    const text = EXAMPLE.replace(from, to);
    expect(violations({ workflows: [workflowFile('example.yml', text)], actions: [] })).not.toEqual([]);
  });
});

describe('changes', () => {
  test('are checked in pull requests, in the merge queue, and before anything is released', () => {
    expect(Object.keys(file('ci.yml').workflow.on)).toEqual(['pull_request', 'merge_group', 'workflow_call']);
    expect(file('ci.yml').workflow.jobs).toHaveProperty('success');
    const { checks, parts, image, staging } = file('release.yml').workflow.jobs;
    expect(checks?.uses).toBe('./.github/workflows/ci.yml');
    for (const job of [parts, image, staging]) {
      expect(job?.needs).toContain('checks');
      // No condition that lets it run when the checks failed.
      expect(job?.if).toBeUndefined();
    }
  });

  test('are released by one run a commit, which nothing cancels', () => {
    expect(file('release.yml').workflow.on).toEqual({ push: { branches: ['main'] } });
    expect(file('release.yml').workflow.concurrency).toEqual({
      group: '${{ github.workflow }}-${{ github.sha }}',
      'cancel-in-progress': 'false',
    });
  });
});

describe('every image that npm run image knows', () => {
  const matrix = (name: string, job: string): unknown =>
    z
      .looseObject({ strategy: z.looseObject({ matrix: z.looseObject({ name: z.array(z.string()) }) }) })
      .parse(file(name).workflow.jobs[job]).strategy.matrix.name;

  test('is built and looked at for a change of it', () => {
    expect(matrix('ci.yml', 'image')).toEqual(Object.keys(IMAGES));
  });

  test('is published', () => {
    expect(['app', ...z.array(z.string()).parse(matrix('release.yml', 'parts'))]).toEqual(
      Object.keys(IMAGES),
    );
  });
});

describe('an image that is published', () => {
  const { steps } = file('image.yml').workflow.jobs['publish'] ?? { steps: [] };
  const published = '${{ steps.publish.outputs.image }}';
  const digest = '${{ steps.publish.outputs.digest }}';
  const sbom = '${{ steps.publish.outputs.sbom }}';

  test('is attested by the digest that was published: how it was made, and what it consists of', () => {
    const attested = steps.filter(({ uses }) => uses?.startsWith('actions/attest@'));
    expect(attested.map((step) => step.with)).toEqual([
      expect.objectContaining({ 'subject-digest': digest, 'push-to-registry': 'true' }),
      expect.objectContaining({ 'subject-digest': digest, 'push-to-registry': 'true', 'sbom-path': sbom }),
    ]);
  });

  test('is signed by it, wherever attestations are left out', () => {
    const signed = steps.filter(({ run }) => run?.includes('sign-image.sh'));
    expect(signed.map(({ env }) => env)).toEqual([{ IMAGE: published, SBOM: sbom }]);
    expect(signed.map((step) => step['if'])).toEqual([undefined]);
  });
});

describe('the way to production', () => {
  test('is that of one image, built once, proven on staging, approved', () => {
    expect(promotionFaults(pipelines)).toEqual([]);
  });

  const deployed = 'IMAGE: ${{ needs.staging.outputs.image }}\n    steps';
  test.each([
    ['another image', 'release.yml', deployed, 'IMAGE: ${{ needs.image.outputs.image }}\n    steps'],
    ['an image by its name', 'release.yml', deployed, 'IMAGE: ghcr.io/example/calculaud:main\n    steps'],
    ['staging hands on something else', 'release.yml', 'steps.deployed.outputs', 'steps.other.outputs'],
    ['staging gets another image', 'release.yml', 'needs.image.outputs', 'needs.parts.outputs'],
    ['not the image of the application', 'release.yml', 'name: app\n', 'name: gateway\n'],
    ['staging does not wait for it', 'release.yml', 'checks, parts, image]', 'checks, parts]'],
    ['the build hands on something else', 'image.yml', 'jobs.publish.outputs', 'jobs.build.outputs'],
    ['no approval', 'release.yml', '      name: production\n', '      name: staging\n'],
    ['nobody looks for the approval', 'release.yml', 'GUARDED: production', 'GUARDED: staging'],
    ['it does not wait for that', 'release.yml', 'needs: [staging, release]', 'needs: [staging]'],
    ['two deployments at once', 'release.yml', 'group: production', 'group: deployment-${{ github.sha }}'],
    ['an image that nobody verified', 'release.yml', 'verify-image.sh', 'fresh.sh'],
  ])('is refused: %s', (_what, name, from, to) => {
    expect(file(name).text).toContain(from);
    const workflows = pipelines.workflows.map((one) =>
      one === file(name) ? workflowFile(one.path, one.text.replace(from, to)) : one,
    );
    expect(promotionFaults({ ...pipelines, workflows })).not.toEqual([]);
  });
});

describe('a script that only a pipeline can run for real', () => {
  test.each(Object.keys(ONLY_THERE))('%s is run by a test with stand-ins, or its parts are', (script) => {
    expect(existsSync(join(ROOT, script))).toBe(true);
    expect(pipelineTests()).toContain(`'${script.slice('scripts/pipeline/'.length)}'`);
  });

  test('is called by one', () => {
    const texts = pipelines.workflows.map(({ text }) => text).join('\n');
    expect(Object.keys(ONLY_THERE).filter((script) => !texts.includes(script))).toEqual([]);
  });
});

/** Where they cannot be installed, the reason is printed; in a pipeline that is a fault. */
describe.each([
  ['actionlint', ACTIONLINT, ['-color=false', '-shellcheck=', '-pyflakes=']],
  ['zizmor', ZIZMOR, ['--offline', '--quiet', '--no-progress', '--persona=auditor', '.github']],
])('%s', (_name, binary, options) => {
  const missing = missingLinter(binary);
  if (missing !== undefined) {
    if (process.env['CI']) throw new Error(missing);
    process.stderr.write(`${missing}\n`);
  }

  test.skipIf(missing !== undefined)('has nothing to say', () => {
    const { stdout, stderr, status } = spawnSync(binary, options, { cwd: ROOT, encoding: 'utf8' });
    expect({ status, said: `${stdout}${status === 0 ? '' : stderr}` }).toMatchObject({ status: 0 });
  });

  test.skipIf(missing !== undefined)('finds a fault', () => {
    const { status } = spawnSync(binary, [...options.filter((option) => option !== '.github'), '-'], {
      cwd: ROOT,
      encoding: 'utf8',
      input: EXAMPLE.replace('npm run check', 'echo ${{ github.event.issue.title }}'),
    });
    expect(status).not.toBe(0);
  });
});
