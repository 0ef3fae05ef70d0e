import { z } from 'zod';
import type { Run } from '../../command.ts';
import { readEnvironmentFile } from '../../environment/file.ts';
import { describeProblem } from '../../environment/problem.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { asRefusal } from '../options.ts';

const options = z.object({ file: z.string().optional(), environment: z.string().optional() });

export const run: Run = async ({ terminal, options: typed }) => {
  const { file: wanted, environment: name } = asRefusal(options, typed);
  const { file, config, problems, notes } = readEnvironmentFile({ file: wanted, name });
  for (const problem of problems) {
    terminal.print(`! ${describeProblem(file, problem)}`);
    terminal.emit('problem', { file, ...problem, line: problem.line ?? null });
  }
  for (const { path, text } of notes) {
    terminal.say(`  ${path} ${text}.`);
    terminal.emit('note', { file, path, text });
  }
  const found = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  terminal.say(config ? `${file} is fine: ${config.kind} environment ${config.name}.` : `${file}: ${found}.`);
  terminal.emit('checked', { file, environment: config?.name ?? null, problems: problems.length });
  return config ? EXIT.done : EXIT.findings;
};
