import type { FlowDecision } from '../flow-rules/service.ts';
import type { StoredFile } from '../files/service.ts';
import type { Draft } from './drafts.ts';
import type { History } from './history.ts';
import { dayText, localText } from './local-time.ts';
import type { Person } from './people.ts';
import type { StageProgress } from './progress.ts';
import type { DemoRows } from './queries/purposes.ts';

/** A purpose with its whole story. */
export interface Told {
  readonly draft: Draft;
  readonly history: History;
  /** Of its purchases, in their order. */
  readonly decisions: readonly FlowDecision[];
  /** Of its documents, in their order. */
  readonly files: readonly StoredFile[];
}

/** The ids that what is told is known by in the database. */
export interface Ids {
  readonly purposes: readonly number[];
  readonly purchases: readonly number[];
  readonly person: (person: Person) => number;
  /** Who acts where no person does. */
  readonly nobody: number;
  readonly node: (number: number) => number;
  readonly supplier: (name: string) => number;
  readonly serviceType: (name: string) => number;
  readonly service: (type: string, name: string) => number;
  readonly budget: (name: string) => number | null;
}

export function rowsOf(told: readonly Told[], ids: Ids): DemoRows {
  let purchases = 0;
  const parts = told.map((one, index) => {
    const first = purchases;
    purchases += one.draft.purchases.length;
    return rowsOfOne(one, at(ids.purposes, index), ids.purchases.slice(first, purchases), ids);
  });
  return {
    purposes: parts.flatMap((part) => part.purposes),
    statuses: parts.flatMap((part) => part.statuses),
    contents: parts.flatMap((part) => part.contents),
    purchases: parts.flatMap((part) => part.purchases),
    costs: parts.flatMap((part) => part.costs),
    decisions: parts.flatMap((part) => part.decisions),
    stages: parts.flatMap((part) => part.stages),
    files: parts.flatMap((part) => part.files),
  };
}

function rowsOfOne(
  { draft, history, decisions, files }: Told,
  purpose_id: number,
  purchaseIds: readonly number[],
  ids: Ids,
): DemoRows {
  const { flag, last } = history;
  const created_by = ids.person(draft.officer);
  const status = at(history.statuses, history.statuses.length - 1);
  const filed = { created: localText(draft.created), created_by };
  const bought = draft.purchases.map((purchase, index) => ({
    ...purchase,
    id: at(purchaseIds, index),
    by: { created: localText(purchase.created), created_by },
    decision: at(decisions, index),
    stages: at(history.purchases, index),
  }));
  return {
    purposes: [
      {
        id: purpose_id,
        ...filed,
        description: draft.description,
        status: status.to,
        status_changed: localText(status.at),
        comments: history.comments,
        modified: localText(last.at),
        expected_delivery: history.expected_delivery,
        hierarchy_id: ids.node(draft.node),
        supplier_id: draft.supplier === null ? null : ids.supplier(draft.supplier),
        service_type_id: ids.serviceType(draft.serviceType),
        is_flagged: flag !== null,
        auto_flagged: flag?.cause ? localText(flag.at) : null,
        auto_flag_reason: flag?.cause
          ? {
              purchase_id: at(purchaseIds, flag.cause.purchase),
              stage_type_id: flag.cause.type.id,
              days: flag.cause.allowed + 1,
              allowed_days: flag.cause.allowed,
            }
          : null,
        updated_by: last.by ? ids.person(last.by) : ids.nobody,
      },
    ],
    statuses: history.statuses.map((change) => ({
      purpose_id,
      previous: change.from,
      status: change.to,
      changed: localText(change.at),
      changed_by: ids.person(change.by),
    })),
    contents: draft.contents.map(({ service, quantity }) => ({
      purpose_id,
      service_id: ids.service(draft.serviceType, service),
      quantity,
      ...filed,
    })),
    purchases: bought.map(({ id, budget, decision, by }) => ({
      id,
      purpose_id,
      flow_id: decision.flow_id,
      budget_source_id: budget === null ? null : ids.budget(budget),
      ...by,
    })),
    costs: bought.flatMap(({ id, costs, by }) => costs.map((cost) => ({ purchase_id: id, ...cost, ...by }))),
    decisions: bought.map(({ id, decision, by }) => ({
      purchase_id: id,
      ...decision,
      decided: by.created,
      decided_by: by.created_by,
    })),
    stages: bought.flatMap(({ id, stages }) =>
      stages.map((stage) => stageRow(id, stage, previousCompletion(stages, stage), ids)),
    ),
    files: files.map((file, index) => ({
      purpose_id,
      ...file,
      uploaded: localText(at(draft.documents, index).at),
      created_by,
    })),
  };
}

/** Also when only a part of the level before is complete. */
function previousCompletion(stages: readonly StageProgress[], { priority }: StageProgress): string | null {
  const days = stages.flatMap((other) =>
    other.priority === priority - 1 && other.done ? dayText(other.done.at) : [],
  );
  return days.toSorted().at(-1) ?? null;
}

function stageRow(
  purchase_id: number,
  stage: StageProgress,
  previous_completion_date: string | null,
  ids: Ids,
): DemoRows['stages'][number] {
  const { created, started, done } = stage;
  const last = done ?? started ?? created;
  return {
    purchase_id,
    stage_type_id: stage.type.id,
    priority: stage.priority,
    value: stage.value,
    completion_date: done && dayText(done.at),
    previous_completion_date,
    note: stage.note,
    custom_name: stage.custom_name,
    ready: stage.ready === null ? null : localText(stage.ready),
    started: started && localText(started.at),
    started_by: started && ids.person(started.by),
    done: done && localText(done.at),
    done_by: done && ids.person(done.by),
    created: localText(created.at),
    created_by: ids.person(created.by),
    updated: localText(last.at),
    updated_by: ids.person(last.by),
  };
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`there is no item ${index} of ${list.length}`);
  return item;
}
