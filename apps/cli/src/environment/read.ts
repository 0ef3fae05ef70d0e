import { nearest } from '@calculaud/config/spelling';
import { isNode, LineCounter, type Document, parseDocument } from 'yaml';
import type { z } from 'zod';
import { keysAt, wordsAt } from './keys.ts';
import type { EnvironmentProblem } from './problem.ts';
import { contradictions, type Note, notesOn } from './rules.ts';
import { type EnvironmentConfig, environmentSchema } from './schema.ts';

export interface ReadEnvironment {
  /** undefined as long as anything is wrong. */
  readonly config: EnvironmentConfig | undefined;
  /** In the order of the file. */
  readonly problems: readonly EnvironmentProblem[];
  /** What an operator should know, though nothing is wrong. */
  readonly notes: readonly Note[];
}

/** Reads the text of a `calculaud.yml`, and says everything that is wrong with it at once. */
export function readEnvironment(text: string): ReadEnvironment {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const broken = [...document.errors, ...document.warnings].map(
    ({ message, linePos }): EnvironmentProblem => ({
      line: linePos?.[0].line,
      path: '',
      problem: `is no YAML that can be read: ${message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? ''}`,
      expected: 'valid YAML, each key once',
    }),
  );
  if (broken.length > 0) return { config: undefined, problems: broken, notes: [] };

  const lineOf = (path: readonly PropertyKey[]): number | undefined => lineAt(document, lines, path);
  const value: unknown = document.toJS() ?? {};
  const parsed = environmentSchema.safeParse(value);
  const problems = parsed.success
    ? contradictions(parsed.data).map((finding) => ({
        ...finding,
        path: pathText(finding.path),
        line: lineOf(finding.path),
      }))
    : parsed.error.issues.flatMap((issue) => problemsOf(issue, document, lineOf));
  problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const fine = parsed.success && problems.length === 0;
  return {
    config: fine ? parsed.data : undefined,
    problems,
    notes: fine ? notesOn(parsed.data) : [],
  };
}

function problemsOf(
  issue: z.core.$ZodIssue,
  document: Document,
  lineOf: (path: readonly PropertyKey[]) => number | undefined,
): EnvironmentProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      const known = keysAt(issue.path);
      return { line: lineOf(path), path: pathText(path), ...unknownKey(key, known) };
    });
  }
  const found: unknown = issue.path.length === 0 ? document.toJS() : document.getIn([...issue.path]);
  return [
    {
      line: lineOf(issue.path),
      path: pathText(issue.path),
      problem: found === undefined || found === null ? 'is missing' : `cannot be ${shown(found)}`,
      expected: expectation(issue),
    },
  ];
}

function unknownKey(key: string, known: readonly string[]): { problem: string; expected: string } {
  if (known.includes(key)) {
    return { problem: 'belongs to another kind', expected: 'that kind, or to be left out' };
  }
  const meant = nearest(key, known);
  return {
    problem: 'is not known',
    expected: meant ? `did you mean ${meant}?` : `one of ${known.join(', ')}`,
  };
}

function shown(found: unknown): string {
  return isNode(found) ? 'what it is' : JSON.stringify(found);
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `one of ${issue.values.join(', ')}`;
  if (issue.code === 'invalid_union') return `one of ${wordsAt(issue.path).join(', ')}`;
  return issue.message.replace(/^Invalid input: expected /, '').replace(/, received .*$/, '');
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

/** The line of the place, or of the nearest one around it that is there. */
function lineAt(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}
