import { expect, test } from 'vitest';
import { terminalOf } from '../ui/terminal.ts';
import { linePrinter } from './print.ts';
import type { ShownLine } from './read.ts';

const line: ShownLine = {
  at: '2026-11-23T17:32:24.542851380Z',
  service: 'api-blue',
  instance: 'api-blue.1',
  task: 't1',
  host: 'host-a',
  stream: 'stdout',
  text: 'hello\tworld',
};

function printed(lines: readonly ShownLine[], { json = false, hosts = 1 } = {}): string {
  let stdout = '';
  const streams = {
    stdout: (text: string) => void (stdout += text),
    stderr: () => undefined,
    interactive: false,
    colours: false,
  };
  const print = linePrinter(terminalOf(streams, json), { hosts });
  for (const one of lines) print(one);
  return stdout;
}

test('every line says which instance wrote it', () => {
  const worker = { ...line, service: 'worker', instance: 'worker.2' };
  expect(printed([line, worker])).toBe('api-blue.1 | hello\tworld\nworker.2   | hello\tworld\n');
});

test('and on which host, where there are several', () => {
  expect(printed([line], { hosts: 2 })).toBe('api-blue.1@host-a | hello\tworld\n');
});

test('a line cannot steer the terminal', () => {
  expect(printed([{ ...line, text: '\u001b[2Jgone\u0007\u009b' }])).toBe('api-blue.1 | �[2Jgone��\n');
});

test('a program gets the line as it was written, with everything that is known of it', () => {
  expect(JSON.parse(printed([{ ...line, text: '\u001b[1m' }], { json: true }))).toEqual({
    version: 1,
    event: 'log',
    at: line.at,
    service: 'api-blue',
    instance: 'api-blue.1',
    task: 't1',
    host: 'host-a',
    stream: 'stdout',
    line: '\u001b[1m',
  });
});
