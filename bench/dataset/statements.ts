import { TEXTS } from './texts.ts';

/** One step of the building of the data set; each is a single statement over all rows. */
export interface Step {
  readonly title: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

export interface Size {
  readonly purposes: number;
  readonly seed: number;
  /** The last moment of the three years. */
  readonly until: Date;
}

/**
 * Chance is a hash of the row's number and of what is decided (`salt`), so that every run of a size and a seed makes
 * the same rows, whatever plan the database chooses.
 */
function randomness({ seed }: Size): Step[] {
  return [
    {
      title: 'random numbers',
      text: `create function pg_temp.roll(key bigint, salt integer) returns float8 language sql immutable
        return (hashint8extended(key, salt::bigint * 1000003 + ${seed}) & 9007199254740991) / 9007199254740992.0::float8`,
    },
    {
      title: 'random words',
      text: `create function pg_temp.pick(list text[], chance float8) returns text language sql immutable
        return list[1 + floor(chance * cardinality(list))::integer]`,
    },
    {
      title: 'random ids',
      text: `create function pg_temp.pick(list integer[], chance float8) returns integer language sql immutable
        return list[1 + floor(chance * cardinality(list))::integer]`,
    },
  ];
}

/** Purposes of the last three years, in working hours from Sunday to Thursday; ids follow the time. */
function purposes({ purposes, until }: Size): Step {
  return {
    title: 'purposes',
    text: `create temp table draft_purpose as
      with moment as (
        select i, date_trunc('day', at - case extract(isodow from at) when 5 then interval '1 day'
            when 6 then interval '2 days' else interval '0' end) as day
        from (
          select i, $2::timestamptz - interval '3 years' * (1 - (i - pg_temp.roll(i, 1)) / $1::integer) as at
          from generate_series(1, $1::integer) i
        ) spread
      ), ordered as (
        select (row_number() over (order by created_at, i))::integer as id, created_at
        from (
          select i, least(day + interval '7 hours' + pg_temp.roll(i, 2) * interval '10 hours', $2) as created_at
          from moment
        ) worked
      ), ids as (
        select (select array_agg(id order by id) from hierarchy) as hierarchies,
          (select array_agg(id order by id) from supplier) as suppliers,
          (select array_agg(id order by id) from service_type) as service_types
      )
      select id, created_at,
        case when pg_temp.roll(id, 3) < 0.98 then pg_temp.pick(hierarchies, pg_temp.roll(id, 4)) end as hierarchy_id,
        case when pg_temp.roll(id, 5) < 0.85 then pg_temp.pick(suppliers, pg_temp.roll(id, 6) ^ 1.5) end as supplier_id,
        case when pg_temp.roll(id, 7) < 0.96 then pg_temp.pick(service_types, pg_temp.roll(id, 8) ^ 1.3) end
          as service_type_id,
        case when pg_temp.roll(id, 9) < 0.85
          then created_at::date + 30 + floor(pg_temp.roll(id, 10) * 370)::integer end as expected_delivery,
        pg_temp.roll(id, 11) < 0.06 as is_flagged,
        pg_temp.roll(id, 12) < 0.6 as in_hebrew
      from ordered, ids`,
    values: [purposes, until],
  };
}

/** One purchase or two, none in one purpose of fifty; a pace of its own, and three in ten get stuck on their way. */
const purchases: Step = {
  title: 'purchases',
  text: `create temp table draft_purchase as
    with sources as (select array_agg(id order by id) as ids from budget_source), numbered as (
      select (row_number() over (order by p.created_at, p.id, n))::integer as id, p.id as purpose_id,
        p.created_at + floor(pg_temp.roll(p.id * 4 + n, 20) * 20) * interval '1 day' as created_at
      from draft_purpose p
      cross join lateral generate_series(1, case when pg_temp.roll(p.id, 21) < 0.02 then 0
        when pg_temp.roll(p.id, 21) < 0.78 then 1 else 2 end) n
    )
    select id, purpose_id, least(created_at, (select max(created_at) from draft_purpose)) as created_at,
      case when pg_temp.roll(id, 22) < 0.8 then pg_temp.pick(ids, pg_temp.roll(id, 23)) end as budget_source_id,
      case when pg_temp.roll(id, 24) < 0.04 then 0 when pg_temp.roll(id, 24) < 0.5 then 1
        when pg_temp.roll(id, 24) < 0.85 then 2 else 3 end as cost_lines,
      0.6 + pg_temp.roll(id, 25) * 2 as pace,
      case when pg_temp.roll(id, 26) < 0.3 then floor(pg_temp.roll(id, 27) ^ 1.5 * 10)::integer else 99 end
        as stuck_after
    from numbered, sources`,
};

const costs: Step = {
  title: 'costs',
  text: `insert into cost (id, purchase_id, currency, amount, created_at)
    select row_number() over (order by p.id, n), p.id,
      (array['ILS', 'SUPPORT_USD', 'AVAILABLE_USD'])[1 + floor(pg_temp.roll(p.id * 4 + n, 30) * 3)::integer],
      -- Most are small and a few large; one in ten has agorot.
      round((2000 * 450 ^ pg_temp.roll(p.id * 4 + n, 31))::numeric,
        case when pg_temp.roll(p.id * 4 + n, 32) < 0.1 then 2 else 0 end),
      p.created_at
    from draft_purchase p cross join lateral generate_series(1, p.cost_lines) n`,
};

/** Which flow: the rules of contract 3.9. */
const flows: Step = {
  title: 'flows',
  text: `create temp table draft_flow as
    select purchase_id, f.id as flow_id
    from (
      select purchase_id, case
          when count(*) > 1 then case when sum(amount) < 400000 then 'MIXED_USD_FLOW' else 'MIXED_USD_ABOVE_400K_FLOW' end
          when min(currency) = 'SUPPORT_USD' then
            case when sum(amount) < 400000 then 'SUPPORT_USD_FLOW' else 'SUPPORT_USD_ABOVE_400K_FLOW' end
          when min(currency) = 'AVAILABLE_USD' then 'AVAILABLE_USD_FLOW'
          else 'ILS_FLOW'
        end as flow_name
      from cost group by purchase_id
    ) chosen join predefined_flow f using (flow_name)`,
};

/**
 * The stages of each flow, and of two purchases in a hundred a stage of their own at the end. Every type takes its own
 * time; a level begins when the one before it is complete. What would be done after the last moment is pending.
 * A few days are out of order, and a few stages stay open while later ones are complete: people do that.
 */
function stages({ until }: Size): Step[] {
  return [
    {
      title: 'stages of the flows',
      text: `create temp table template_stage as
        select predefined_flow_id as flow_id, priority, stage_type_id,
          row_number() over (partition by predefined_flow_id order by priority, id)::integer as n,
          4 + 26 * pg_temp.roll(stage_type_id * 64 + priority, 40) as mean_days
        from predefined_flow_stage`,
    },
    {
      title: 'durations',
      text: `create temp table draft_duration as
        select p.id as purchase_id, t.priority, t.stage_type_id, null::text as custom_name, t.n,
          1 + least(120, floor(-ln(1 - pg_temp.roll(p.id * 32 + t.n, 41)) * t.mean_days * p.pace))::integer as days
        from draft_purchase p join draft_flow f on f.purchase_id = p.id join template_stage t using (flow_id)
        union all
        select p.id, last.priority + 1, custom.id, pg_temp.pick($1::text[], pg_temp.roll(p.id, 42)), last.n + 1,
          1 + floor(pg_temp.roll(p.id, 43) * 20)::integer
        from draft_purchase p join draft_flow f on f.purchase_id = p.id
        join (select flow_id, max(priority) as priority, max(n) as n from template_stage group by flow_id) last
          using (flow_id)
        join stage_type custom on custom.name = 'custom'
        where pg_temp.roll(p.id, 44) < 0.02`,
      values: [TEXTS.customStages],
    },
    {
      title: 'completions',
      text: `create temp table draft_completion as
        with level as (
          select purchase_id, priority,
            coalesce(sum(max(days)) over (partition by purchase_id order by priority
              rows between unbounded preceding and 1 preceding), 0)::integer as days_before
          from draft_duration group by purchase_id, priority
        ), due as (
          select d.*, d.purchase_id * 32 + d.n as key, p.created_at::date + l.days_before as ready_on,
            p.created_at::date + l.days_before + d.days as due_on, p.stuck_after
          from draft_duration d
          join level l using (purchase_id, priority) join draft_purchase p on p.id = d.purchase_id
        )
        select purchase_id, priority, stage_type_id, custom_name, n, key, ready_on,
          case when due_on <= $1::timestamptz::date and priority <= stuck_after and pg_temp.roll(key, 45) >= 0.002
            then case when priority > 1 and pg_temp.roll(key, 46) < 0.005
              then ready_on - 1 - floor(pg_temp.roll(key, 47) * 9)::integer else due_on end end as completion_date
        from due`,
      values: [until],
    },
    {
      title: 'progress of the stages',
      text: `create temp table draft_stage as
        select c.*,
          min(priority) filter (where completion_date is null) over (partition by purchase_id) as current_priority,
          max(completion_date) over (partition by purchase_id order by priority
            range between 1 preceding and 1 preceding) as previous_completion_date
        from draft_completion c`,
    },
    {
      title: 'stages',
      text: `insert into stage (id, stage_type_id, purchase_id, priority, value, completion_date, note, custom_name,
          previous_completion_date, ready_at, started_at, done_at, created_at, updated_at)
        select row_number() over (order by s.purchase_id, s.n), s.stage_type_id, s.purchase_id, s.priority,
          case when t.value_required and s.completion_date is not null and pg_temp.roll(key, 50) < 0.95
            then lpad(floor(pg_temp.roll(key, 51) * 1000000000)::bigint::text, 9, '0') end,
          s.completion_date,
          case when pg_temp.roll(key, 52) < 0.04 then pg_temp.pick($1::text[], pg_temp.roll(key, 53)) end,
          s.custom_name, s.previous_completion_date,
          case when s.completion_date is not null or s.priority = s.current_priority
            then coalesce(s.previous_completion_date + interval '9 hours', p.created_at) end,
          moment.done_at, moment.done_at, p.created_at, coalesce(moment.done_at, p.created_at)
        from draft_stage s
        join draft_purchase p on p.id = s.purchase_id join stage_type t on t.id = s.stage_type_id
        cross join lateral (
          select s.completion_date + interval '8 hours' + pg_temp.roll(key, 54) * interval '8 hours' as done_at
        ) moment
        order by 1`,
      values: [[...TEXTS.hebrew.notes, ...TEXTS.english.notes]],
    },
    {
      title: 'progress of the purchases',
      text: `create temp table purchase_progress as
        select s.purchase_id, min(s.current_priority) as current_priority, max(s.completion_date) as last_completion,
          max(s.previous_completion_date) filter (where s.priority = s.current_priority) as waiting_since,
          -- The authority whose turn it is: contract 3.5.
          (array_agg(t.responsible_authority_id order by s.completion_date is not null,
            case when s.completion_date is null then s.priority else -s.priority end, s.stage_type_id)
            filter (where t.responsible_authority_id is not null))[1] as pending_authority_id,
          -- The same order as one comparable value, for the choice among the purchases of a purpose.
          min(array[(s.completion_date is not null)::integer,
            case when s.completion_date is null then s.priority else -s.priority end, s.stage_type_id])
            filter (where t.responsible_authority_id is not null) as turn
        from draft_stage s join stage_type t on t.id = s.stage_type_id
        group by s.purchase_id`,
    },
    {
      title: 'purchases in their table',
      text: `insert into purchase (id, purpose_id, predefined_flow_id, budget_source_id, creation_date, current_priority,
          waiting_since, pending_authority_id, updated_at)
        select p.id, p.purpose_id, f.flow_id, p.budget_source_id, p.created_at, g.current_priority, g.waiting_since,
          g.pending_authority_id, coalesce(g.last_completion + interval '16 hours', p.created_at)
        from draft_purchase p
        left join draft_flow f on f.purchase_id = p.id left join purchase_progress g on g.purchase_id = p.id
        order by p.id`,
    },
  ];
}

/**
 * Purposes whose purchases are complete are mostly closed, some signed or supplied in part; the others mostly run.
 * A path is the series of states from the first day to the last completion; a few were closed and opened again.
 */
function statuses({ until }: Size): Step[] {
  return [
    {
      title: 'paths of the statuses',
      text: `create temp table draft_path as
        with state as (
          select p.id, p.created_at,
            coalesce(bool_and(g.current_priority is null and g.last_completion is not null), false) as finished,
            max(g.last_completion) + interval '14 hours' as last_completion,
            pg_temp.roll(p.id, 60) as chance, pg_temp.roll(p.id, 61) as way
          from draft_purpose p
          left join draft_purchase u on u.purpose_id = p.id left join purchase_progress g on g.purchase_id = u.id
          group by p.id, p.created_at
        )
        select id, created_at,
          least(greatest(last_completion + floor(pg_temp.roll(id, 62) * 6) * interval '1 day', created_at), $1)
            as ended_at,
          (case
            when pg_temp.roll(id, 63) < 0.02 then '{COMPLETED}'
            when finished and chance < 0.62 then case
              when way < 0.15 then '{IN_PROGRESS,COMPLETED}' when way < 0.4 then '{IN_PROGRESS,SIGNED,COMPLETED}'
              when way < 0.95 then '{IN_PROGRESS,SIGNED,PARTIALLY_SUPPLIED,COMPLETED}'
              else '{IN_PROGRESS,COMPLETED,IN_PROGRESS,COMPLETED}' end
            when finished and chance < 0.8 then '{IN_PROGRESS,SIGNED}'
            when finished and chance < 0.95 then '{IN_PROGRESS,SIGNED,PARTIALLY_SUPPLIED}'
            when finished then '{IN_PROGRESS}'
            when chance < 0.6 then '{IN_PROGRESS}'
            when chance < 0.88 then '{IN_PROGRESS,SIGNED,IN_PROGRESS}'
            when chance < 0.94 then '{IN_PROGRESS,SIGNED}'
            else '{IN_PROGRESS,SIGNED,PARTIALLY_SUPPLIED}'
          end)::purpose_status[] as path
        from state`,
      values: [until],
    },
    {
      title: 'status history',
      text: `insert into purpose_status_history (id, purpose_id, previous_status, new_status, changed_at)
        select row_number() over (order by changed_at, id, n), id, path[n - 1], path[n], changed_at
        from (
          select p.id, p.path, n,
            case when n = 1 then created_at
              else created_at + (coalesce(ended_at, created_at + ($1::timestamptz - created_at) * pg_temp.roll(id, 64))
                - created_at) * ((n - 1.0) / (cardinality(path) - 1)) end as changed_at
          from draft_path p cross join lateral generate_series(1, cardinality(path)) n
        ) change
        order by 1`,
      values: [until],
    },
  ];
}

const purposesInTheirTable: Step = {
  title: 'purposes in their table',
  text: `insert into purpose (id, description, creation_time, status, comments, last_modified, expected_delivery,
      hierarchy_id, supplier_id, service_type_id, is_flagged, pending_authority_id, waiting_since,
      current_status_changed_at)
    with changed as (
      -- The present status is the last state of the path, so its latest change is the latest of all.
      select purpose_id, max(changed_at) as at from purpose_status_history group by purpose_id
    ), progress as (
      select u.purpose_id, min(g.waiting_since) as waiting_since, max(g.last_completion) as last_completion,
        (array_agg(g.pending_authority_id order by g.turn) filter (where g.turn is not null))[1]
          as pending_authority_id
      from draft_purchase u join purchase_progress g on g.purchase_id = u.id group by u.purpose_id
    )
    select p.id,
      case
        when pg_temp.roll(p.id, 70) < 0.01 then null
        when in_hebrew then
          pg_temp.pick($1::text[], pg_temp.roll(p.id, 71)) || ' ' || pg_temp.pick($2::text[], pg_temp.roll(p.id, 72))
          || '. ' || pg_temp.pick($3::text[], pg_temp.roll(p.id, 73))
          || case when pg_temp.roll(p.id, 74) < 0.5 then ' ' || pg_temp.pick($3::text[], pg_temp.roll(p.id, 75)) else '' end
          || case when pg_temp.roll(p.id, 76) < 0.3 then ' ' || $4 || ' ' || project else '' end
        else
          pg_temp.pick($5::text[], pg_temp.roll(p.id, 71)) || ' ' || pg_temp.pick($6::text[], pg_temp.roll(p.id, 72))
          || '. ' || pg_temp.pick($7::text[], pg_temp.roll(p.id, 73))
          || case when pg_temp.roll(p.id, 74) < 0.5 then ' ' || pg_temp.pick($7::text[], pg_temp.roll(p.id, 75)) else '' end
          || case when pg_temp.roll(p.id, 76) < 0.3 then ' ' || project || ' ' || $8 else '' end
      end,
      p.created_at, path[cardinality(path)],
      case when pg_temp.roll(p.id, 77) < 0.4 then
        pg_temp.pick(case when in_hebrew then $9::text[] else $10::text[] end, pg_temp.roll(p.id, 78))
        || to_char(p.created_at + pg_temp.roll(p.id, 79) * interval '60 days', ' (DD/MM/YYYY)') end,
      greatest(p.created_at, c.at, g.last_completion + interval '16 hours'),
      p.expected_delivery, p.hierarchy_id, p.supplier_id, p.service_type_id, p.is_flagged, g.pending_authority_id,
      g.waiting_since, c.at
    from draft_purpose p
    join draft_path w on w.id = p.id join changed c on c.purpose_id = p.id
    left join progress g on g.purpose_id = p.id
    cross join lateral (
      select pg_temp.pick($11::text[], pg_temp.roll(p.id, 80)) || ' '
        || pg_temp.pick($12::text[], pg_temp.roll(p.id, 81)) as project
    ) named
    order by p.id`,
  values: [
    TEXTS.hebrew.actions,
    TEXTS.hebrew.objects,
    TEXTS.hebrew.details,
    TEXTS.hebrew.project,
    TEXTS.english.actions,
    TEXTS.english.objects,
    TEXTS.english.details,
    TEXTS.english.project,
    TEXTS.hebrew.comments,
    TEXTS.english.comments,
    TEXTS.birds,
    TEXTS.colours,
  ],
};

/** One to three different services of the purpose's own type. */
const contents: Step = {
  title: 'contents',
  text: `insert into purpose_content (id, purpose_id, service_id, quantity, created_at)
    with services as (select service_type_id, array_agg(id order by id) as ids from service group by service_type_id),
      every as (select array_agg(id order by id) as ids from service)
    select row_number() over (order by p.id, n), p.id,
      -- Neighbours in the list, from a random place on: no two are the same.
      offered.ids[1 + (floor(pg_temp.roll(p.id, 90) * cardinality(offered.ids))::integer + n) % cardinality(offered.ids)],
      1 + floor(pg_temp.roll(p.id * 4 + n, 91) * 10)::integer, p.created_at
    from draft_purpose p
    left join services s using (service_type_id) cross join every e
    cross join lateral (select coalesce(s.ids, e.ids) as ids) offered
    cross join lateral generate_series(1, 1 + floor(pg_temp.roll(p.id, 92) * 3)::integer) n
    order by 1`,
};

/** Rows only: the store holds no such objects. One purpose in three has a file or two. */
const files: Step[] = [
  {
    title: 'files',
    text: `create temp table draft_file as
      select (row_number() over (order by p.id, n))::integer as id, p.id as purpose_id, n, p.created_at
      from draft_purpose p
      cross join lateral generate_series(1, greatest(0, floor(pg_temp.roll(p.id, 95) * 6)::integer - 3)) n`,
  },
  {
    title: 'files in their table',
    text: `insert into file_attachment (id, original_filename, s3_key, mime_type, file_size, uploaded_at)
      select id, pg_temp.pick($1::text[], pg_temp.roll(id, 96)) || ' ' || purpose_id || '.pdf',
        'files/' || md5(id::text)::uuid || '.pdf', 'application/pdf',
        (20000 * 200 ^ pg_temp.roll(id, 97))::integer, created_at
      from draft_file order by id`,
    values: [TEXTS.files],
  },
  {
    title: 'links to files',
    text: `insert into purpose_file_attachment (purpose_id, file_attachment_id)
      select purpose_id, id from draft_file order by purpose_id, id`,
  },
];

/** Everything in order, after the organisation. */
export function steps(size: Size): readonly Step[] {
  return [
    ...randomness(size),
    purposes(size),
    purchases,
    costs,
    flows,
    ...stages(size),
    ...statuses(size),
    purposesInTheirTable,
    contents,
    ...files,
  ];
}
