import { z } from 'zod';
import { allSteps, type Job, type Pipelines, type Step, type WorkflowFile } from './workflow-files.ts';
import { calledScripts, ONLY_THERE, scriptsOfChecks } from './workflow-scripts.ts';

/** A rule of the pipelines. `violations` names what breaks it; each change of the example (from, to) proves that it can. */
export interface Rule {
  readonly rule: string;
  readonly reason: string;
  readonly violations: (pipelines: Pipelines) => readonly string[];
  readonly broken: readonly (readonly [from: string, to: string])[];
}

/** One workflow at a time. */
function workflows(
  faults: (file: WorkflowFile, pipelines: Pipelines) => readonly string[],
): Rule['violations'] {
  return (pipelines) =>
    pipelines.workflows.flatMap((file) => faults(file, pipelines).map((fault) => `${file.path}: ${fault}`));
}

/** One job at a time. */
function jobs(faults: (job: Job, pipelines: Pipelines) => readonly string[]): Rule['violations'] {
  return workflows(({ workflow }, pipelines) =>
    Object.entries(workflow.jobs).flatMap(([id, job]) =>
      faults(job, pipelines).map((fault) => `${id}: ${fault}`),
    ),
  );
}

/** One step at a time, those of the shared actions too. */
function steps(faults: (step: Step) => readonly string[]): Rule['violations'] {
  return (pipelines) => [
    ...jobs((job) => job.steps.flatMap(faults))(pipelines),
    ...pipelines.actions.flatMap((action) =>
      action.steps.flatMap(faults).map((fault) => `${action.path}: ${fault}`),
    ),
  ];
}

/** The lines of all files that begin like this, with the place. */
function lines(pattern: RegExp, fine: (line: string) => boolean): Rule['violations'] {
  return ({ workflows: files, actions }) =>
    [...files, ...actions].flatMap(({ path, text }) =>
      text
        .split('\n')
        .map((line, index) => ({ line: line.trim(), place: `${path}:${index + 1}` }))
        .filter(({ line }) => pattern.test(line) && !fine(line))
        .map(({ line, place }) => `${place}: ${line}`),
    );
}

const when = (fault: boolean, words: string): readonly string[] => (fault ? [words] : []);

/** Rights with which a job can change what others run: packages, sources, proofs. Findings and comments are no such thing. */
const PUBLISHES = /"(packages|contents|id-token|attestations)":"write"/;

function publishes(job: Job): boolean {
  return job.environment !== undefined || PUBLISHES.test(JSON.stringify(job.permissions ?? {}));
}

const checks = scriptsOfChecks();

/** What a job may do; anything else than a list of rights is another rule's fault. */
const rights = z.record(z.string(), z.string()).catch({});

const CANCELS = ['false', "${{ github.event_name == 'pull_request' || github.event_name == 'merge_group' }}"];

export const rules: readonly Rule[] = [
  {
    rule: 'actions are pinned to a commit, with their version beside it',
    reason: 'a tag can be moved to other code by whoever takes over the account of its author',
    violations: lines(
      /^(- )?uses:/,
      (line) => / \.\//.test(line) || /@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line),
    ),
    broken: [
      [' # v1.2.3', ''],
      ['1111111111111111111111111111111111111111 # v1.2.3', 'v1.2.3'],
      ['# v1.2.3', '# v1'],
      ['1111111111111111111111111111111111111111', '1111111'],
    ],
  },
  {
    rule: 'an action has the same version everywhere',
    reason: 'who reviews one of its versions has reviewed what runs',
    violations: ({ workflows: files, actions }) => {
      const pins = new Map<string, Set<string>>();
      for (const { text } of [...files, ...actions]) {
        for (const [, repository = '', pin = ''] of text.matchAll(
          /uses: ([\w.-]+\/[\w.-]+)[\w/.-]*@(.+)$/gm,
        )) {
          pins.set(repository, (pins.get(repository) ?? new Set()).add(pin));
        }
      }
      return [...pins]
        .filter(([, found]) => found.size > 1)
        .map(([name, found]) => `${name}: ${[...found].join(', ')}`);
    },
    broken: [
      [
        'actions/cache/restore@2222222222222222222222222222222222222222',
        'actions/checkout@2222222222222222222222222222222222222222',
      ],
    ],
  },
  {
    rule: 'a workflow has no rights, each of its jobs says which it needs',
    reason: 'a job that is taken over can do what its token can do',
    violations: (pipelines) => [
      ...workflows(({ workflow }) =>
        when(JSON.stringify(workflow.permissions) !== '{}', 'permissions: {} is missing'),
      )(pipelines),
      ...jobs((job) => when(typeof job.permissions !== 'object', 'says no permissions one by one'))(
        pipelines,
      ),
    ],
    broken: [
      ['permissions: {}\nconcurrency', 'concurrency'],
      ['permissions: {}\nconcurrency', 'permissions: read-all\nconcurrency'],
      ['    permissions:\n      packages: write # to push the image\n', ''],
      ['permissions:\n      packages: write # to push the image\n', 'permissions: write-all\n'],
    ],
  },
  {
    rule: 'each right has its reason beside it',
    reason: 'a right that nobody can explain is a right too many',
    violations: lines(/^[a-z-]+: (read|write)\b/, (line) => /: (read|write) # \S/.test(line)),
    broken: [[' # to push the image', '']],
  },
  {
    rule: 'who calls a workflow grants what its jobs ask for',
    reason: 'GitHub refuses the whole run otherwise, also for a job that would be skipped',
    violations: jobs((job, { workflows: files }) => {
      const called = files.find(({ path }) => job.uses === `./${path}`);
      const granted = rights.parse(job.permissions);
      return Object.entries(called?.workflow.jobs ?? {}).flatMap(([id, inner]) =>
        Object.entries(rights.parse(inner.permissions))
          .filter(([right, level]) => granted[right] !== level && granted[right] !== 'write')
          .map(([right, level]) => `${id} of ${job.uses} asks for ${right}: ${level}`),
      );
    }),
    broken: [
      ['      packages: write # as its jobs say\n', ''],
      ['packages: write # as its jobs say', 'packages: read # as its jobs say'],
    ],
  },
  {
    rule: 'every job has a time limit',
    reason: 'the limit of GitHub is six hours, in which a job that hangs holds up what waits for it',
    violations: jobs((job) =>
      when(job.uses === undefined && job['timeout-minutes'] === undefined, 'has no timeout-minutes'),
    ),
    broken: [['    timeout-minutes: 5\n', '']],
  },
  {
    rule: 'jobs run on a stated version of the system',
    reason: '"latest" means something else one day, and then what worked fails without a change',
    violations: jobs((job) => when(/latest/.test(job['runs-on'] ?? ''), `runs on ${job['runs-on']}`)),
    broken: [['ubuntu-24.04', 'ubuntu-latest']],
  },
  {
    rule: 'every workflow has a concurrency group, which cancels runs of pull requests and of the merge queue only',
    reason: 'two runs of one branch get in each other’s way; a cancelled release leaves half of it behind',
    violations: workflows(({ workflow: { concurrency, jobs: all } }) => [
      ...when(concurrency === undefined, 'has no concurrency'),
      ...[concurrency, ...Object.values(all).map((job) => job.concurrency)].flatMap((group) =>
        when(
          group !== undefined && !CANCELS.includes(group['cancel-in-progress']),
          `cancel-in-progress is ${group?.['cancel-in-progress']}`,
        ),
      ),
      ...when(
        concurrency !== undefined && !/github\.(ref|sha)\b/.test(concurrency.group),
        'its group is shared by all branches',
      ),
    ]),
    broken: [
      ['concurrency:\n  group', 'no-concurrency:\n  group'],
      ["${{ github.event_name == 'pull_request' || github.event_name == 'merge_group' }}", 'true'],
      [' || github.ref }}', ' }}'],
    ],
  },
  {
    rule: 'no workflow runs with rights for code of strangers (pull_request_target, workflow_run)',
    reason: 'it would run what a fork sends with the secrets of this repository',
    violations: workflows(({ workflow }) =>
      ['pull_request_target', 'workflow_run'].flatMap((event) =>
        when(event in workflow.on, `is started by ${event}`),
      ),
    ),
    broken: [
      ['pull_request:', 'pull_request_target:'],
      ['pull_request:', 'workflow_run:'],
    ],
  },
  {
    rule: 'a checkout leaves no credentials behind',
    reason: 'every later step, and whatever it installs, could read them',
    violations: steps((step) =>
      when(
        step.uses?.startsWith('actions/checkout@') === true && step.with['persist-credentials'] !== 'false',
        'checkout without persist-credentials: false',
      ),
    ),
    broken: [
      ['persist-credentials: false', 'persist-credentials: true'],
      ['        with:\n          persist-credentials: false\n', ''],
    ],
  },
  {
    rule: 'a job that publishes or deploys uses no cache',
    reason: 'whoever can write a cache, by any change that is checked, could put his own into the product',
    violations: jobs((job, pipelines) =>
      publishes(job)
        ? allSteps(job.steps, pipelines).flatMap((step) => [
            ...when(/^actions\/cache\b|setup-cached$/.test(step.uses ?? ''), `uses ${step.uses}`),
            ...when('cache' in step.with && step.with['cache'] !== 'false', 'has a cache'),
            ...when(
              /^actions\/setup-(node|go|python)@/.test(step.uses ?? '') &&
                step.with['package-manager-cache'] !== 'false' &&
                step.with['cache'] !== 'false',
              `${step.uses} caches by itself`,
            ),
            ...when(
              step.uses?.startsWith('docker/setup-buildx-action@') === true &&
                step.with['cache-binary'] !== 'false',
              'setup-buildx without cache-binary: false',
            ),
          ])
        : [],
    ),
    broken: [
      ['cache-binary: false', 'cache-binary: true'],
      ['contents: read # to read the sources', 'contents: write # to read the sources'],
    ],
  },
  {
    rule: 'a step runs one script of the repository, and hands it values by its environment',
    reason: 'what stands in a workflow runs nowhere else, and a value pasted into a command may be a command',
    violations: steps(({ run }) => {
      if (run === undefined) return [];
      return when(calledScripts(run) === undefined, `runs "${run.trim()}"`);
    }),
    broken: [
      ['npm run check', 'npx oxlint'],
      ['npm run check', 'npm run check && npm test'],
      ['npm run check', 'npm run nothing'],
      ['npm run check', 'npm run check -- ${{ github.head_ref }}'],
      ['publish-image.sh', 'nothing.sh'],
    ],
  },
  {
    rule: 'what the pipelines run, .ci/run runs too, or it is listed with the reason why it cannot',
    reason: 'a change that passes here passes there, and the other way round',
    violations: steps(({ run }) => {
      const scripts = run === undefined ? [] : (calledScripts(run) ?? []);
      return scripts
        .filter((script) => !checks.has(script) && !(script in ONLY_THERE))
        .map((script) => `${script} is not run by .ci/run`);
    }),
    broken: [['npm run check', 'npm run bench']],
  },
  {
    rule: 'secrets belong to an environment',
    reason: 'those of the repository can be read by every workflow that a branch brings along',
    violations: workflows(({ workflow }) => [
      ...when(JSON.stringify(workflow.env).includes('secrets.'), 'has secrets in its env'),
      ...Object.entries(workflow.jobs).flatMap(([id, job]) => [
        ...when(
          job.environment === undefined && /secrets\./.test(JSON.stringify(job)),
          `${id} has secrets without an environment`,
        ),
        ...when(job.secrets !== undefined, `${id} hands secrets on`),
      ]),
    ]),
    broken: [
      ['    environment: release\n', ''],
      ['permissions: {}\nconcurrency', 'env:\n  A: ${{ secrets.A }}\npermissions: {}\nconcurrency'],
    ],
  },
  {
    rule: 'a job called success waits for all others, whatever becomes of them, and looks at each result',
    reason: 'it is the one check that the main branch asks for',
    violations: workflows(({ workflow: { jobs: all } }) => {
      const { success, ...others } = all;
      if (success === undefined) return [];
      const forgotten = Object.keys(others).filter((id) => !success.needs.includes(id));
      const results = success.steps.find(({ run }) => run === 'sh scripts/pipeline/succeeded.sh')?.env[
        'RESULTS'
      ];
      return [
        ...forgotten.map((id) => `success does not wait for ${id}`),
        ...when(success.if !== 'always()', 'success is skipped when a job fails'),
        ...when(results !== "${{ join(needs.*.result, ' ') }}", 'success does not look at all results'),
      ];
    }),
    broken: [
      ['needs: [check, publish, again]', 'needs: [check, again]'],
      ['    if: always()\n', ''],
      ["join(needs.*.result, ' ')", 'needs.check.result'],
    ],
  },
];
