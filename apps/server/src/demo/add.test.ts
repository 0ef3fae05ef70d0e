import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import * as analytics from '@calculaud/contract/analytics';
import { hierarchyTrees } from '@calculaud/contract/hierarchies';
import * as contract from '@calculaud/contract/purposes';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runAutoFlag } from '../flags/service.ts';
import { type TestApp, testApp } from '../testing/app.ts';
import { nodes } from './organisation.ts';
import { addDemo } from './service.ts';

const now = new Date();
let app: TestApp;
let owner: pg.Client;
beforeAll(async () => {
  // A zone in which the day is another than in UTC for half of the day.
  app = await testApp({ CALCULAUD_TIMEZONE: 'Pacific/Auckland' });
  owner = new pg.Client({ connectionString: app.ownerUrl });
  await owner.connect();
  await addDemo(app.services, now);
}, 60_000);
afterAll(async () => {
  await owner.end();
  await app.close();
});

async function rows<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
  return (await owner.query<Row>(text, [...values])).rows;
}

/** What contradicts the statement; nothing should. */
async function contradictions(text: string): Promise<object[]> {
  return rows(`${text} limit 5`);
}

describe('the organisation', () => {
  test('has the nodes and ids of the contract, and the next node gets the next id', async () => {
    expect(await rows('select id, parent_id, type, name from hierarchy order by id')).toEqual(
      nodes.map(({ number, parent, type, name }) => ({ id: number, parent_id: parent, type, name })),
    );
    const [top] = (await app.get('/hierarchies/tree')).as(hierarchyTrees);
    expect(top).toMatchObject({ name: '8000' });
    expect(await rows('select path from hierarchy where id = 17')).toEqual([
      { path: '9900 / 9910 / 450 / 451 / Micky' },
    ]);
    const created = await app.post('/hierarchies', { type: 'TEAM', name: 'Next', parent_id: 26 });
    expect(created).toMatchObject({ status: 201 });
    expect(created.json()).toMatchObject({ id: 27 });
  });

  test('has 20 suppliers and 7 service types with 5 services each', async () => {
    expect(await rows('select count(*)::int from supplier')).toEqual([{ count: 20 }]);
    expect(
      await rows(
        'select count(*)::int from (select from service group by service_type_id having count(*) = 5) types',
      ),
    ).toEqual([{ count: 7 }]);
  });

  test('all of it is known by who made it', async () => {
    const made = ['purpose', 'purpose_content', 'purchase', 'cost', 'stage', 'file_attachment'].map(
      (table) => `select '${table}' as made, id, created_by from ${table}`,
    );
    expect(
      await contradictions(`select made, t.id from (${made.join(' union all ')}) t
        left join principal p on p.id = t.created_by
        where not coalesce(p.kind = 'system' and p.subject ~ '^demonstration(:|$)', false)`),
    ).toEqual([]);
  });
});

describe('the histories', () => {
  test('flows are those that the contract gives to such costs', async () => {
    expect(
      await contradictions(`
        select p.id, c.lines, c.sum, f.flow_name
        from purchase p
        join predefined_flow f on f.id = p.predefined_flow_id
        join lateral (
          select count(*) as lines, sum(amount) as sum, min(currency) as currency from cost where purchase_id = p.id
        ) c on true
        where f.flow_name is distinct from case
          when c.lines >= 2 and c.sum < 400000 then 'MIXED_USD_FLOW'
          when c.lines >= 2 then 'MIXED_USD_ABOVE_400K_FLOW'
          when c.currency = 'SUPPORT_USD' and c.sum < 400000 then 'SUPPORT_USD_FLOW'
          when c.currency = 'SUPPORT_USD' then 'SUPPORT_USD_ABOVE_400K_FLOW'
          else c.currency || '_FLOW' end`),
    ).toEqual([]);
    expect(await rows('select count(distinct predefined_flow_id)::int from purchase')).toEqual([
      { count: 6 },
    ]);
  });

  test('each purchase has the decision for its flow', async () => {
    expect(
      await contradictions(`select p.id from purchase p left join flow_decision d on d.purchase_id = p.id
        where d.flow_id is distinct from p.predefined_flow_id or d.decided_at is distinct from p.creation_date
          or d.facts ->> 'base_total' is null`),
    ).toEqual([]);
  });

  test('stages are those of the flow, beside custom ones, without a gap', async () => {
    const chain = `select array_agg(stage_type_id order by priority, stage_type_id)`;
    expect(
      await contradictions(`select p.id from purchase p
        where (${chain} from stage s where s.purchase_id = p.id and custom_name is null)
          is distinct from (${chain} from predefined_flow_stage s where s.predefined_flow_id = p.predefined_flow_id)
          or (select count(distinct priority) <> max(priority) from stage s where s.purchase_id = p.id)`),
    ).toEqual([]);
    expect(await rows('select from stage where custom_name is not null')).not.toEqual([]);
  });

  test('levels are completed one after the other', async () => {
    expect(
      await contradictions(`select s.id from stage s join stage before using (purchase_id)
        where before.priority < s.priority and (
          s.completion_date < before.completion_date
          or s.completion_date is not null and before.completion_date is null)`),
    ).toEqual([]);
    expect(
      await contradictions(`select s.id from stage s
        where s.completion_date <> (s.done_at at time zone 'Pacific/Auckland')::date
          or (s.done_at is null) <> (s.completion_date is null) or (s.done_by is null) <> (s.done_at is null)
          or s.started_at > s.done_at or s.ready_at > s.started_at
          or (s.ready_at is null and s.completion_date is not null)`),
    ).toEqual([]);
  });

  test('nothing lies in the future, or before its purpose', async () => {
    const times: Record<string, string> = {
      purpose: 'creation_time, last_modified, current_status_changed_at, auto_flagged_at',
      purchase: 'creation_date',
      stage: 'created_at, ready_at, started_at, done_at',
      cost: 'created_at',
      purpose_content: 'created_at',
      purpose_status_history: 'changed_at',
      file_attachment: 'uploaded_at',
      flow_decision: 'decided_at',
    };
    const happened = Object.entries(times).map(
      ([table, columns]) =>
        `select '${table}' as place, t.id, at from ${table} t, unnest(array[${columns}]) at`,
    );
    expect(
      await rows(
        `select * from (${happened.join(' union all ')}) happened
         where at > $1 or at < $1::timestamptz - interval '3 years' limit 5`,
        [now],
      ),
    ).toEqual([]);
    expect(
      await contradictions(`select p.id from purchase p join purpose o on o.id = p.purpose_id
        where p.creation_date < o.creation_time`),
    ).toEqual([]);
  });

  test('the status is the last of its history, and what is ordered has no stage left', async () => {
    expect(
      await contradictions(`select o.id from purpose o
        join lateral (select * from purpose_status_history where purpose_id = o.id order by changed_at desc, id desc limit 1) h
          on true
        where h.new_status <> o.status or h.changed_at <> o.current_status_changed_at`),
    ).toEqual([]);
    expect(
      await contradictions(`select o.id from purpose o
        where (o.status = 'IN_PROGRESS') <> not exists (
          select from purpose_status_history h where h.purpose_id = o.id and h.new_status = 'SIGNED')
          or o.status <> 'IN_PROGRESS' and exists (
            select from purchase p join stage s on s.purchase_id = p.id where p.purpose_id = o.id and s.completion_date is null)`),
    ).toEqual([]);
  });

  test('a purpose was last modified by the last thing that happened to it', async () => {
    expect(
      await contradictions(`select o.id, o.last_modified, seen.last from purpose o, lateral (
          select max(at) as last from (
            select o.creation_time as at
            union all select o.auto_flagged_at
            union all select changed_at from purpose_status_history where purpose_id = o.id
            union all select creation_date from purchase where purpose_id = o.id
            union all select greatest(s.created_at, s.started_at, s.done_at)
              from purchase p join stage s on s.purchase_id = p.id where p.purpose_id = o.id
            union all select uploaded_at from purpose_file_attachment l join file_attachment f on f.id = l.file_attachment_id
              where l.purpose_id = o.id
          ) happened
        ) seen
        where o.last_modified < seen.last
          -- Of a flag that a person set, the time is not kept.
          or o.last_modified > seen.last and (not o.is_flagged or o.auto_flagged_at is not null)`),
    ).toEqual([]);
  });
});

describe('what follows from the rows', () => {
  test('is in the derived columns', async () => {
    const snapshot = async (): Promise<object[]> =>
      rows(`select 'purpose' as kind, id, to_jsonb(o) as row from purpose o
        union all select 'purchase', id, to_jsonb(p) from purchase p
        union all select 'stage', id, to_jsonb(s) from stage s order by 1, 2`);
    const before = await snapshot();
    await rows('select refresh_progress(array(select id from purpose))');
    expect(await snapshot()).toEqual(before);
    expect(await rows('select from purchase where waiting_since is not null')).not.toEqual([]);
  });

  test('leaves the job that flags with nothing to do', async () => {
    const [flagged] = await rows<{ count: number }>(
      'select count(*)::int from purpose where auto_flagged_at is not null',
    );
    expect(flagged?.count).toBeGreaterThan(3);
    const { timeZone, autoFlagDays } = app.services.config.organisation;
    const today = new Intl.DateTimeFormat('en-CA', { timeZone }).format(now);
    expect(await runAutoFlag(app.db, today, autoFlagDays)).toEqual({ flagged: 0, unflagged: 0 });
  });
});

describe('people see it', () => {
  test('in the list and by itself, with its files', async () => {
    const page = (await app.get('/purposes?limit=200')).as(contract.listPurposes);
    expect(page.total).toBe(300);
    const withFiles = page.items.filter(({ file_attachments }) => file_attachments.length > 0);
    expect(withFiles.length).toBeGreaterThan(5);
    for (const days of page.items.flatMap(({ purchases }) => purchases)) {
      expect(days.days_since_last_completion ?? 0).toBeGreaterThanOrEqual(0);
    }
    const [first] = withFiles;
    const purpose = (await app.get(`/purposes/${first?.id}`)).as(contract.getPurpose);
    for (const file of purpose.file_attachments) {
      const { pathname, search } = new URL(file.file_url);
      const content = await app.get(`/${pathname}${search}`);
      expect(content.status).toBe(200);
      expect(content.headers).toMatchObject({ 'content-length': String(file.file_size) });
    }
  });

  test('in the export', async () => {
    const { text } = await app.get('/purposes/export_csv');
    const [some] = await rows<{ id: number; description: string }>(
      'select id, description from purpose order by id limit 1',
    );
    expect(text).toContain(`"${some?.id}","${some?.description}","`);
  });

  test('in the analytics', async () => {
    const { data: statuses } = (await app.get('/analytics/statuses/distribution')).as(
      analytics.statusesDistribution,
    );
    expect(statuses.map(({ status }) => status).toSorted()).toEqual([
      'IN_PROGRESS',
      'PARTIALLY_SUPPLIED',
      'SIGNED',
    ]);
    const { data: stages } = (await app.get('/analytics/stages/processing-times')).as(
      analytics.stageProcessingTimes,
    );
    expect(stages.length).toBeGreaterThan(10);
  });
});

test('the contents of all files are what their rows say', async () => {
  const files = await rows<{ s3_key: string; file_size: number; mime_type: string }>(
    'select s3_key, file_size, mime_type from file_attachment',
  );
  const starts: Record<string, string> = { 'application/pdf': '%PDF-1.4', 'image/png': '\u0089PNG' };
  for (const { s3_key, file_size, mime_type } of files) {
    const object = await app.services.storage.open(s3_key);
    expect(object?.size).toBe(file_size);
    const content = await buffer(object?.stream ?? Readable.from([]));
    const start = starts[mime_type] ?? '';
    expect(content.toString('latin1').slice(0, start.length)).toBe(start);
  }
  expect(await rows('select from object_removal')).toEqual([]);
});

test('there is one demonstration at most', async () => {
  await expect(addDemo(app.services, now)).rejects.toMatchObject({ status: 409 });
  expect(await rows('select count(*)::int from purpose')).toEqual([{ count: 300 }]);
});
