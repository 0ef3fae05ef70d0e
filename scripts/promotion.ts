import type { Job, Step, Workflow } from './workflow-files.ts';

/**
 * The way of an image from its build to production, followed through the release workflow: `needs.<job>.outputs.<name>` to
 * the job, `steps.<id>.outputs.<name>` to the step, and from there to the script that said it.
 */

const BUILDS = 'scripts/pipeline/publish-image.sh';
const FINDS = 'scripts/pipeline/find-image.sh';
const DEPLOYS = 'scripts/pipeline/deploy.sh';
const VERIFIES = 'scripts/pipeline/verify-image.sh';
const GUARDS = 'scripts/pipeline/guarded.sh';

const runs = (step: Step, script: string): boolean => step.run?.includes(script) === true;

/** The environment that a step deploys to. */
function deploysTo(step: Step): string | undefined {
  return runs(step, DEPLOYS) ? step.run?.trim().split(' ').at(-1) : undefined;
}

function jobsThatDeploy(workflow: Workflow, environment: string): readonly (readonly [string, Job])[] {
  return Object.entries(workflow.jobs).filter(([, job]) =>
    job.steps.some((step) => deploysTo(step) === environment),
  );
}

/** The scripts that an image may come from, with the environments that it was deployed to on the way: "staging < …". */
function origins(workflow: Workflow, from: Job | undefined, expression: string): readonly string[] {
  const [, inner = ''] = /^\$\{\{ (.+) \}\}$/.exec(expression) ?? [];
  return inner.split(' || ').flatMap((part) => {
    const [, kind, name = '', output = ''] = /^(needs|steps)\.([\w-]+)\.outputs\.(\w+)$/.exec(part) ?? [];
    if (kind === 'needs') {
      const job = workflow.jobs[name];
      if (!from?.needs.includes(name)) return [`${part}, which is not awaited`];
      return origins(workflow, job, job?.outputs[output] ?? '');
    }
    const step = kind === 'steps' ? from?.steps.find(({ id }) => id === name) : undefined;
    if (step === undefined) return [`"${part}"`];
    const environment = deploysTo(step);
    if (environment === undefined) return [step.run?.trim().split(' ').at(-1) ?? `${step.uses}`];
    // What a deployment hands on is what it was given.
    const given = step.env['IMAGE'] ?? from?.env['IMAGE'] ?? '';
    return origins(workflow, from, given).map((origin) => `${environment} < ${origin}`);
  });
}

/** What is wrong with the way to production: nothing may get there but what was built once and deployed to staging. */
export function promotionFaults(workflow: Workflow): readonly string[] {
  const faults: string[] = [];
  const expected: Readonly<Record<string, readonly string[]>> = {
    staging: [BUILDS, FINDS],
    production: [`staging < ${BUILDS}`, `staging < ${FINDS}`],
  };
  for (const [environment, allowed] of Object.entries(expected)) {
    const [deployment, ...more] = jobsThatDeploy(workflow, environment);
    if (deployment === undefined || more.length > 0) {
      faults.push(`${more.length + (deployment ? 1 : 0)} jobs deploy to ${environment}`);
      continue;
    }
    const [id, job] = deployment;
    if (job.environment !== environment) faults.push(`${id} deploys outside the environment ${environment}`);
    if (job.concurrency?.group !== environment || job.concurrency['cancel-in-progress'] !== 'false') {
      faults.push(`${id} may run twice at once, or be cancelled`);
    }
    const step = job.steps.findIndex((one) => deploysTo(one) === environment);
    const image = job.steps[step]?.env['IMAGE'] ?? job.env['IMAGE'] ?? '';
    const found = origins(workflow, job, image);
    for (const origin of found) {
      if (!allowed.includes(origin)) faults.push(`${environment} gets its image from ${origin}`);
    }
    if (found.length === 0) faults.push(`${environment} gets no image`);
    const verified = job.steps.findIndex((one) => runs(one, VERIFIES));
    const verifiedImage = job.steps[verified]?.env['IMAGE'] ?? job.env['IMAGE'];
    if (verified === -1 || verified > step || verifiedImage !== image) {
      faults.push(`${environment} deploys an image that was not verified`);
    }
  }
  const production = jobsThatDeploy(workflow, 'production')[0]?.[1];
  const guards = (production?.needs ?? []).filter((id) =>
    workflow.jobs[id]?.steps.some((step) => runs(step, GUARDS) && step.env['GUARDED'] === 'production'),
  );
  if (guards.length === 0) faults.push('nobody looks whether production asks for an approval');
  const builders = Object.entries(workflow.jobs).filter(([, job]) =>
    job.steps.some((step) => runs(step, BUILDS)),
  );
  if (builders.length !== 1) faults.push(`the image is published by ${builders.length} jobs`);
  return faults;
}
