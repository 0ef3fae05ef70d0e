import type { Executor } from '@calculaud/db/database';
import type { StoredFile } from '../files/service.ts';
import { chooseFlow, type FlowDecision } from '../flow-rules/service.ts';
import type { Draft } from './drafts.ts';
import { type Circumstances, tellHistory } from './history.ts';
import { dayText } from './local-time.ts';
import type { Reference } from './queries/organisation.ts';
import type { Told } from './rows.ts';
import type { OrganisationIds } from './save-organisation.ts';

/** Has the flow rules choose for every purchase, as they do for everybody, and tells what happened then. */
export async function tell(
  tx: Executor,
  drafts: readonly Draft[],
  files: readonly (readonly StoredFile[])[],
  ids: OrganisationIds,
  { stage_types, flow_stages }: Reference,
  circumstances: Omit<Circumstances, 'customType'>,
): Promise<readonly Told[]> {
  const types = new Map(stage_types.map((type) => [type.id, type]));
  const customType = stage_types.find(({ name }) => name === 'custom');
  if (!customType) throw new Error('there is no stage type custom though it was just made');
  const flowOf = ({ flow_id }: FlowDecision) =>
    flow_stages.flatMap(({ flow_id: id, stage_type_id, priority }) => {
      const type = id === flow_id ? types.get(stage_type_id) : undefined;
      return type ? [{ type, priority }] : [];
    });

  const told: Told[] = [];
  for (const [index, draft] of drafts.entries()) {
    const decisions = await decide(tx, draft, ids);
    const history = tellHistory(draft, decisions.map(flowOf), { ...circumstances, customType });
    told.push({ draft, decisions, history, files: files[index] ?? [] });
  }
  return told;
}

async function decide(tx: Executor, draft: Draft, ids: OrganisationIds): Promise<readonly FlowDecision[]> {
  const decisions: FlowDecision[] = [];
  for (const { created, costs } of draft.purchases) {
    const subject = {
      costs,
      service_type_id: ids.serviceType(draft.serviceType),
      hierarchy_id: ids.node(draft.node),
      date: dayText(created),
    };
    decisions.push(await chooseFlow(tx, subject, { newCosts: false }));
  }
  return decisions;
}
