/** Rules that v1 did not have. An organisation chooses those it wants to work by; `strict` stands for all of them. */
export const stricterRules = [
  'value-required',
  'stage-order',
  'status-follows-stages',
  'services-of-type',
  'hierarchy-rank',
] as const;

export type StricterRule = (typeof stricterRules)[number];
export type StricterRules = ReadonlySet<StricterRule>;

const STRICT = 'strict';
const words = [...stricterRules, STRICT] as const;
export type RuleWord = (typeof words)[number];

export const expectedRules = `rules separated by commas, from ${words.join(', ')}`;

export function ruleWord(text: string): RuleWord | undefined {
  return words.find((word) => word === text.toLowerCase());
}

export function chosenRules(chosen: readonly RuleWord[]): StricterRules {
  return new Set(chosen.flatMap((word) => (word === STRICT ? stricterRules : [word])));
}
