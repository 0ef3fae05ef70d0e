import { z } from 'zod';
import type { Job, Pipelines, Step, Workflow } from './workflow-files.ts';

/**
 * The way of an image from its build to production, followed through the workflows: `needs.<job>.outputs.<name>` to the job,
 * through the workflow that it may call, `steps.<id>.outputs.<name>` to the step, and there to the script that said it.
 */

const RELEASE = '.github/workflows/release.yml';

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

/** What a workflow that is called says to its caller. */
const called = z.looseObject({
  workflow_call: z.looseObject({ outputs: z.record(z.string(), z.looseObject({ value: z.string() })) }),
});

interface Place {
  readonly pipelines: Pipelines;
  readonly workflow: Workflow;
  /** The job whose expression it is; none: that of the workflow. */
  readonly job?: Job | undefined;
}

/** Where the value of an expression comes from: scripts, with the environments that were deployed to on the way. */
function origins(place: Place, expression: string): readonly string[] {
  const [, inner = ''] = /^\$\{\{ (.+) \}\}$/.exec(expression) ?? [];
  return inner.split(' || ').flatMap((part) => {
    const [, kind, name = '', output = ''] =
      /^(needs|jobs|steps)\.([\w-]+)\.outputs\.(\w+)$/.exec(part) ?? [];
    if (kind === 'steps') return originsOfStep(place, name);
    if (kind === 'needs' && !place.job?.needs.includes(name)) return [`${part}, which is not awaited`];
    const job = kind === undefined ? undefined : place.workflow.jobs[name];
    return job === undefined ? [`"${part}"`] : originsOfJob(place, job, output);
  });
}

function originsOfJob({ pipelines, workflow }: Place, job: Job, output: string): readonly string[] {
  if (job.uses === undefined) return origins({ pipelines, workflow, job }, job.outputs[output] ?? '');
  const file = pipelines.workflows.find(({ path }) => job.uses === `./${path}`);
  const value = called.safeParse(file?.workflow.on).data?.workflow_call.outputs[output]?.value;
  if (file === undefined || value === undefined) return [`${job.uses}, which does not say ${output}`];
  return origins({ pipelines, workflow: file.workflow }, value).map(
    (origin) => `${origin} of ${job.with['name']}`,
  );
}

function originsOfStep(place: Place, id: string): readonly string[] {
  const step = place.job?.steps.find((one) => one.id === id);
  if (step === undefined) return [`a step "${id}" that is not there`];
  const environment = deploysTo(step);
  if (environment === undefined) return [step.run?.trim().split(' ').at(-1) ?? `${step.uses}`];
  // What a deployment hands on is what it was given.
  const given = step.env['IMAGE'] ?? place.job?.env['IMAGE'] ?? '';
  return origins(place, given).map((origin) => `${environment}, of ${origin}`);
}

/** What is wrong with the way to production: nothing may get there but what was built once and deployed to staging. */
export function promotionFaults(pipelines: Pipelines): readonly string[] {
  const workflow = pipelines.workflows.find(({ path }) => path === RELEASE)?.workflow;
  if (workflow === undefined) return [`${RELEASE} is missing`];
  const built = [BUILDS, FINDS].map((script) => `${script} of app`);
  return [
    ...deploymentFaults(pipelines, workflow, 'staging', built),
    ...deploymentFaults(
      pipelines,
      workflow,
      'production',
      built.map((origin) => `staging, of ${origin}`),
    ),
    ...approvalFaults(workflow),
  ];
}

function deploymentFaults(
  pipelines: Pipelines,
  workflow: Workflow,
  environment: string,
  allowed: readonly string[],
): readonly string[] {
  const [deployment, ...more] = jobsThatDeploy(workflow, environment);
  if (deployment === undefined) return [`nothing is deployed to ${environment}`];
  const [id, job] = deployment;
  const at = job.steps.findIndex((step) => deploysTo(step) === environment);
  const image = imageOf(job, at);
  const verified = job.steps.findIndex((step) => runs(step, VERIFIES));
  const found = origins({ pipelines, workflow, job }, image ?? '');
  return [
    ...more.map(([other]) => `${other} deploys to ${environment}, too`),
    ...(job.environment === environment ? [] : [`${id} deploys outside the environment ${environment}`]),
    ...(job.concurrency?.group.startsWith(environment) ? [] : [`${id} has no group of its environment`]),
    ...found
      .filter((origin) => !allowed.includes(origin))
      .map((origin) => `${environment} gets its image from ${origin}`),
    ...(verified >= 0 && verified < at && imageOf(job, verified) === image
      ? []
      : [`${environment} deploys an image that was not verified`]),
  ];
}

function imageOf(job: Job, step: number): string | undefined {
  return job.steps[step]?.env['IMAGE'] ?? job.env['IMAGE'];
}

/** Somebody must look whether production asks for an approval, and production must wait for that. */
function approvalFaults(workflow: Workflow): readonly string[] {
  const guards = jobsThatDeploy(workflow, 'production')
    .flatMap(([, job]) => job.needs)
    .filter((id) =>
      workflow.jobs[id]?.steps.some((step) => runs(step, GUARDS) && step.env['GUARDED'] === 'production'),
    );
  return guards.length > 0 ? [] : ['nobody looks whether production asks for an approval'];
}
