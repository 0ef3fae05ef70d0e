import type { FlowConditions } from '@calculaud/contract/flow-rules';
import { add, compare, decimal, decimalText, multiply, zero } from '../platform/decimal.ts';

/** Which flow a purchase gets: ordered rules, of which the first whose conditions all hold decides. */

export interface Rule {
  readonly id: number;
  readonly name: string;
  readonly conditions: FlowConditions;
  readonly flow_name: string | null;
  /** Null beside a name: there is no such flow. */
  readonly flow_id: number | null;
}

export interface CostLine {
  readonly currency: string;
  /** Exact; text as the database has it. */
  readonly amount: string | number;
}

export interface Rate {
  readonly id: number;
  readonly currency: string;
  readonly rate: string;
  readonly valid_from: string;
}

/** What the rules look at, and what is kept with the decision. */
export interface Facts {
  /** The day whose rates count. */
  readonly date: string;
  readonly lines: number;
  /** In the order of their first line. */
  readonly currencies: readonly string[];
  /** The amounts as they are, currencies mixed. */
  readonly plain_total: string;
  readonly base: string;
  /** Converted; null where a rate is missing. */
  readonly base_total: string | null;
  /** The rates that the conversion used. */
  readonly rates: readonly Rate[];
  /** ISO codes that have no rate on that day. */
  readonly missing_rates: readonly string[];
  readonly service_type_id: number | null;
  readonly hierarchy_id: number | null;
  /** The node and all above it. */
  readonly hierarchy_path: readonly number[];
}

export interface Circumstances {
  readonly date: string;
  readonly costs: readonly CostLine[];
  readonly isoCodes: ReadonlyMap<string, string>;
  readonly base: string;
  /** At most one a currency, into the base. */
  readonly rates: readonly Rate[];
  readonly service_type_id: number | null;
  readonly hierarchy_id: number | null;
  readonly hierarchy_path: readonly number[];
}

export function factsOf(given: Circumstances): Facts {
  const { costs, isoCodes, base, rates } = given;
  const used = new Set<Rate>();
  const missing = new Set<string>();
  let plain = zero;
  let converted = zero;
  for (const { currency, amount } of costs) {
    const value = decimal(amount);
    plain = add(plain, value);
    const iso = isoCodes.get(currency) ?? currency;
    const rate = rates.find((rate) => rate.currency === iso);
    if (iso === base) {
      converted = add(converted, value);
    } else if (rate) {
      used.add(rate);
      converted = add(converted, multiply(value, decimal(rate.rate)));
    } else {
      missing.add(iso);
    }
  }
  return {
    date: given.date,
    lines: costs.length,
    currencies: [...new Set(costs.map(({ currency }) => currency))],
    plain_total: decimalText(plain),
    base,
    base_total: missing.size > 0 ? null : decimalText(converted),
    rates: [...used],
    missing_rates: [...missing],
    service_type_id: given.service_type_id,
    hierarchy_id: given.hierarchy_id,
    hierarchy_path: given.hierarchy_path,
  };
}

export interface Check {
  readonly condition: string;
  /** Undefined: it cannot be known, because an exchange rate is missing. */
  readonly holds: boolean | undefined;
  readonly found: string;
}

export interface Trial {
  readonly rule: Rule;
  readonly checks: readonly Check[];
}

export interface Choice {
  /** Undefined: none matched, or it cannot be known whether the last one that was tried does. */
  readonly rule: Rule | undefined;
  readonly reason: string;
  /** In order; the last one decided, unless none did. */
  readonly tried: readonly Trial[];
  /** The rule that cannot be decided, because an exchange rate is missing. */
  readonly undecided: Rule | undefined;
}

export function chooseRule(rules: readonly Rule[], facts: Facts): Choice {
  const tried: Trial[] = [];
  for (const rule of rules) {
    const checks = checksOf(rule.conditions, facts);
    tried.push({ rule, checks });
    if (checks.some(({ holds }) => holds === false)) {
      continue;
    }
    const known = checks.every(({ holds }) => holds);
    return {
      rule: known ? rule : undefined,
      undecided: known ? undefined : rule,
      reason: `Rule '${rule.name}': ${checks.map(({ found }) => found).join('; ') || 'no conditions'}`,
      tried,
    };
  }
  return { rule: undefined, undecided: undefined, reason: 'No rule matches, so there is no flow', tried };
}

function checksOf(conditions: FlowConditions, facts: Facts): Check[] {
  const { lines, currencies, total, service_type_ids: types, hierarchy_ids: nodes } = conditions;
  const checks: Check[] = [];
  if (lines) {
    checks.push({
      condition: 'lines',
      holds: facts.lines >= (lines.min ?? 0) && facts.lines <= (lines.max ?? Infinity),
      found: `${facts.lines} cost line${facts.lines === 1 ? '' : 's'}${bounds(lines.min, lines.max, 'at most')}`,
    });
  }
  if (currencies?.only) {
    const { only } = currencies;
    checks.push({
      condition: 'currencies.only',
      holds: facts.lines > 0 && facts.currencies.every((code) => only.includes(code)),
      found: `currencies ${facts.currencies.join(', ') || 'none'} (only ${only.join(', ')})`,
    });
  }
  if (currencies?.all) {
    const { all } = currencies;
    checks.push({
      condition: 'currencies.all',
      holds: all.every((code) => facts.currencies.includes(code)),
      found: `currencies ${facts.currencies.join(', ') || 'none'} (all of ${all.join(', ')})`,
    });
  }
  if (total) {
    checks.push(totalCheck(total, facts));
  }
  if (types) {
    checks.push({
      condition: 'service_type_ids',
      holds: facts.service_type_id !== null && types.includes(facts.service_type_id),
      found: `service type ${facts.service_type_id ?? 'none'} (one of ${types.join(', ')})`,
    });
  }
  if (nodes) {
    checks.push({
      condition: 'hierarchy_ids',
      holds: facts.hierarchy_path.some((id) => nodes.includes(id)),
      found: `hierarchy ${facts.hierarchy_id ?? 'none'} (${nodes.join(', ')} or below)`,
    });
  }
  return checks;
}

function totalCheck(total: NonNullable<FlowConditions['total']>, facts: Facts): Check {
  const inBase = total.basis === 'base';
  const text = inBase ? facts.base_total : facts.plain_total;
  const limits = bounds(total.at_least, total.below, 'below');
  if (text === null) {
    const missing = facts.missing_rates.join(', ');
    return {
      condition: 'total',
      holds: undefined,
      found: `no exchange rate from ${missing} to ${facts.base} on ${facts.date}${limits}`,
    };
  }
  const amount = decimal(text);
  const reaches = (limit: number | undefined, otherwise: boolean): boolean =>
    limit === undefined ? otherwise : compare(amount, decimal(limit)) >= 0;
  return {
    condition: 'total',
    holds: reaches(total.at_least, true) && !reaches(total.below, false),
    found: inBase
      ? `total ${text} ${facts.base}, converted at the rates of ${facts.date}${limits}`
      : `total ${text}, not converted${limits}`,
  };
}

function bounds(least: number | undefined, most: number | undefined, mostIs: string): string {
  const parts = [
    ...(least === undefined ? [] : [`at least ${least}`]),
    ...(most === undefined ? [] : [`${mostIs} ${most}`]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
