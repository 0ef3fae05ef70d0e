import { describe, expect, test } from 'vitest';
import { type Service, serviceAnswer, type Task, tasksAnswer } from '../host/docker-answers.ts';
import { SERVICES } from '../stack/names.ts';
import { SPEC_LABEL } from '../stack/spec-label.ts';
import { judge } from './settle.ts';

const BEGUN = new Date(Date.now() - 60_000);
const wanted = { service: SERVICES.apiBlue, spec: 'new', replicas: 2 };

const container = (spec: string) => ({ ContainerSpec: { Image: 'a:1', Labels: { [SPEC_LABEL]: spec } } });
const stored = { Version: { Index: 1 }, CreatedAt: BEGUN.toISOString(), UpdatedAt: BEGUN.toISOString() };

function service(update?: { State: string; StartedAt: string }): Service {
  return serviceAnswer.parse({
    ...stored,
    ID: 's',
    Spec: { Name: 'api-blue', TaskTemplate: container('new'), Mode: { Replicated: { Replicas: 2 } } },
    ...(update && { UpdateStatus: update }),
  });
}

interface Given {
  readonly spec?: string;
  readonly desired?: string;
  readonly error?: string;
  readonly created?: Date;
  readonly at?: Date;
}

function task(
  state: string,
  { spec = 'new', desired = 'running', error, created = BEGUN, at = new Date() }: Given = {},
): Task {
  const [parsed] = tasksAnswer.parse([
    {
      ...stored,
      ID: 't',
      CreatedAt: created.toISOString(),
      Spec: container(spec),
      DesiredState: desired,
      Status: { State: state, Timestamp: at.toISOString(), ...(error !== undefined && { Err: error }) },
    },
  ]);
  if (!parsed) throw new Error('one task was given');
  return parsed;
}

const judged = (tasks: readonly Task[], live: Service | undefined = service(), patient = false) =>
  judge(wanted, live, tasks, { since: BEGUN, patient });

test('as many as are wanted, all of them of the description, is settled', () => {
  expect(judged([task('running'), task('running')])).toMatchObject({ settled: true });
});

test('one that is stopping holds nobody up', () => {
  const stopping = task('running', { spec: 'old', desired: 'shutdown' });
  expect(judged([task('running'), task('running'), stopping])).toMatchObject({ settled: true });
});

test('what comes back is settled as soon as it runs, whatever became of it or Swarm has still to watch', () => {
  const updating = service({ State: 'updating', StartedAt: new Date().toISOString() });
  const ended = task('failed', { desired: 'shutdown', error: 'task: non-zero exit (1)' });
  expect(judged([task('running'), task('running'), ended], updating, true)).toMatchObject({ settled: true });
  expect(judged([task('running'), ended], updating, true)).toMatchObject({ settled: false });
});

describe('not settled', () => {
  test.each<[string, readonly Task[]]>([
    ['too few', [task('running')]],
    ['one still starting', [task('running'), task('starting')]],
    ['one of the description before', [task('running'), task('running', { spec: 'old' })]],
    ['one too many', [task('running'), task('running'), task('running')]],
  ])('%s', (_, tasks) => {
    expect(judged(tasks)).toMatchObject({ settled: false });
    expect(judged(tasks).failure).toBeUndefined();
  });

  test('while Swarm still updates', () => {
    const updating = service({ State: 'updating', StartedAt: new Date().toISOString() });
    expect(judged([task('running'), task('running')], updating).settled).toBe(false);
  });
});

describe('failed', () => {
  test('when a container of the description ended by itself', () => {
    const ended = task('failed', { desired: 'shutdown', error: 'task: non-zero exit (1)' });
    expect(judged([task('running'), ended]).failure).toBe('a container ended: task: non-zero exit (1)');
  });

  test.each<[string, Given]>([
    ['before this began', { at: new Date(BEGUN.getTime() - 1000) }],
    ['of another description', { spec: 'old' }],
    ['because Swarm moved it', { error: 'assigned node no longer meets constraints' }],
  ])('but not by one that ended %s', (_, given) => {
    const ended = task('failed', { desired: 'shutdown', error: 'task: non-zero exit (1)', ...given });
    expect(judged([task('running'), ended]).failure).toBeUndefined();
  });

  test('when no host takes one for longer than others may take to stop', () => {
    const error = 'no suitable node (insufficient resources on 1 node)';
    const fresh = task('pending', { error, created: new Date() });
    expect(judged([task('running'), fresh]).failure).toBeUndefined();
    expect(judged([task('running'), task('pending', { error })])).toMatchObject({
      failure: `no host takes it: ${error}`,
      wordless: true,
    });
  });

  test('when Swarm turned the update back', () => {
    const back = service({ State: 'rollback_completed', StartedAt: new Date().toISOString() });
    const old = task('running', { spec: 'old' });
    expect(judged([old, old], back).failure).toMatch(/^Swarm turned the update back/);
  });
});
