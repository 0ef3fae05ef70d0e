import { Command, Option } from 'commander';
import type { CommandDescription, CommandGroup } from './command.ts';
import { backupCommands } from './commands/backup/group.ts';
import { bundleCommands } from './commands/bundle/group.ts';
import { configCommands } from './commands/config/group.ts';
import { databaseCommands } from './commands/db/group.ts';
import { demoCommands } from './commands/demo/group.ts';
import { deployCommands } from './commands/deploy/group.ts';
import { drillCommand } from './commands/drill/command.ts';
import { execCommand } from './commands/exec/command.ts';
import { exportCommand } from './commands/export/command.ts';
import { historyCommand } from './commands/history/command.ts';
import { importCommand } from './commands/import/command.ts';
import { initCommand } from './commands/init/command.ts';
import { journeyCommand } from './commands/journey/command.ts';
import { logsCommand } from './commands/logs/command.ts';
import { planCommand } from './commands/plan/command.ts';
import { probeCommand } from './commands/probe/command.ts';
import { recoveryKitCommands } from './commands/recovery-kit/group.ts';
import { renderCommand } from './commands/render/command.ts';
import { restoreCommands } from './commands/restore/group.ts';
import { rollbackCommand } from './commands/rollback/command.ts';
import { scaleCommand } from './commands/scale/command.ts';
import { statusCommand } from './commands/status/command.ts';
import { tokenCommands } from './commands/token/group.ts';

export const groups: readonly CommandGroup[] = [
  bundleCommands,
  configCommands,
  deployCommands,
  databaseCommands,
  tokenCommands,
  demoCommands,
  backupCommands,
  recoveryKitCommands,
  restoreCommands,
];

/** Commands of one word, without a group around them: `commands/<word>/<word>.ts`. */
export const singles: readonly CommandDescription[] = [
  planCommand,
  rollbackCommand,
  drillCommand,
  execCommand,
  exportCommand,
  historyCommand,
  importCommand,
  initCommand,
  journeyCommand,
  logsCommand,
  probeCommand,
  renderCommand,
  scaleCommand,
  statusCommand,
];

/** Called when a command line names a command that exists and fits its description. */
type Act = (command: CommandDescription, options: unknown, values: readonly string[]) => Promise<void>;

/** The command line as commander knows it; nothing of the commands themselves is loaded. */
export function buildProgram(version: string, output: Output, act: Act): Command {
  const program = new Command('calculaud')
    .description('Runs and looks after Calculaud, the procurement system.')
    .version(version, '--version', 'print the version')
    .option('--json', 'write events for programs to standard output, one JSON object per line')
    .helpOption('-h, --help', 'explain a command; never does anything else')
    .helpCommand(false)
    .configureOutput(output)
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride();
  for (const { verb, description, commands, own } of groups) {
    const group = own ? add(program, own, act) : program.command(verb).description(description);
    for (const command of commands) add(group, command, act);
  }
  for (const command of singles) add(program, command, act);
  return program;
}

interface Output {
  readonly writeOut: (text: string) => void;
  readonly writeErr: (text: string) => void;
}

function add(parent: Command, description: CommandDescription, act: Act): Command {
  const command = parent
    .command(description.usage)
    .description(description.description)
    .addHelpText('after', examples(description))
    .action(async () => act(description, command.optsWithGlobals(), command.args));
  for (const { flags, description: text, choices, required = false } of description.options ?? []) {
    const option = new Option(flags, text).makeOptionMandatory(required);
    command.addOption(choices ? option.choices(choices) : option);
  }
  return command;
}

function examples({ examples: lines }: CommandDescription): string {
  return `\nExamples:\n${lines.map(([line, purpose]) => `  # ${purpose}\n  ${line}`).join('\n')}`;
}
