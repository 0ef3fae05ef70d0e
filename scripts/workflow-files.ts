import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

/** The pipelines as data: workflows, and the composite actions that they share. Only what the rules look at is read. */

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const scalars = z.record(z.string(), scalar);

const step = z.looseObject({
  id: z.string().optional(),
  uses: z.string().optional(),
  run: z.string().optional(),
  with: scalars.default({}),
  env: scalars.default({}),
});

const concurrency = z.object({ group: z.string(), 'cancel-in-progress': scalar });

const job = z.looseObject({
  needs: z.union([z.string().transform((name) => [name]), z.array(z.string())]).default([]),
  if: scalar.optional(),
  /** A workflow that is called instead of steps. */
  uses: z.string().optional(),
  with: scalars.default({}),
  'runs-on': z.string().optional(),
  'timeout-minutes': z.number().optional(),
  permissions: z.unknown().optional(),
  environment: z
    .union([z.string(), z.looseObject({ name: z.string() }).transform(({ name }) => name)])
    .optional(),
  concurrency: concurrency.optional(),
  outputs: scalars.default({}),
  env: scalars.default({}),
  secrets: z.unknown().optional(),
  steps: z.array(step).default([]),
});

const workflow = z.looseObject({
  on: z.union([z.string().transform((event) => ({ [event]: null })), z.record(z.string(), z.unknown())]),
  permissions: z.unknown().optional(),
  concurrency: concurrency.optional(),
  env: scalars.default({}),
  jobs: z.record(z.string(), job),
});

const action = z.looseObject({ runs: z.looseObject({ steps: z.array(step) }) });

export type Step = z.output<typeof step>;
export type Job = z.output<typeof job>;
export type Workflow = z.output<typeof workflow>;

export interface WorkflowFile {
  /** Relative to the repository. */
  readonly path: string;
  readonly text: string;
  readonly workflow: Workflow;
}

export interface ActionFile {
  readonly path: string;
  readonly text: string;
  readonly steps: readonly Step[];
}

export interface Pipelines {
  readonly workflows: readonly WorkflowFile[];
  readonly actions: readonly ActionFile[];
}

export function workflowFile(path: string, text: string): WorkflowFile {
  return { path, text, workflow: workflow.parse(parse(text)) };
}

export function actionFile(path: string, text: string): ActionFile {
  return { path, text, steps: action.parse(parse(text)).runs.steps };
}

export function readPipelines(): Pipelines {
  const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
  const names = (folder: string): string[] => readdirSync(join(ROOT, folder)).toSorted();
  return {
    workflows: names('.github/workflows')
      .map((name) => `.github/workflows/${name}`)
      .map((path) => workflowFile(path, read(path))),
    actions: names('.github/actions')
      .map((name) => `.github/actions/${name}/action.yml`)
      .map((path) => actionFile(path, read(path))),
  };
}

/** The steps of a job, those of the local actions that it uses among them. */
export function allSteps(steps: readonly Step[], { actions }: Pipelines): readonly Step[] {
  return steps.flatMap((one) => {
    const local = /^\.\/(.+)$/.exec(one.uses ?? '')?.[1];
    const called = actions.find(({ path }) => path === `${local}/action.yml`);
    return called === undefined ? [one] : [one, ...allSteps(called.steps, { workflows: [], actions })];
  });
}
