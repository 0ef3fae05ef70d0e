import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { z } from 'zod';
import { type KillStep, killStep } from './kill-step.ts';

/**
 * Loaded before a program of ours, by NODE_OPTIONS: the program kills itself, as `kill -9` does, at the step that stands first
 * in the file TEST_KILLED_AT. One that was taken is struck out, so that whoever is started again goes on to the next.
 */
const program = /(\w+)\.js$/.exec(process.argv[1] ?? '')?.[1];
const plan = process.env['TEST_KILLED_AT'];
let [seen, counted] = [0, ''];

function step(when: KillStep['when'], path: unknown): void {
  if (plan === undefined || typeof path !== 'string') return;
  let text: string;
  try {
    text = fs.readFileSync(plan, 'utf8');
  } catch {
    return;
  }
  const steps = z.array(killStep).parse(JSON.parse(text));
  const [next, ...others] = steps;
  if (!next || next.program !== program || next.when !== when || !new RegExp(next.path).test(path)) return;
  if (counted !== text) [seen, counted] = [0, text];
  seen += 1;
  if (seen < next.count) return;
  write(plan, JSON.stringify(others));
  process.kill(process.pid, 'SIGKILL');
}

const { writeFileSync: write, renameSync, rmSync, openSync } = fs;
const { rename, link, rm, writeFile } = fs.promises;

fs.renameSync = (from, to) => {
  step('before', to);
  renameSync(from, to);
  step('after', to);
};
fs.rmSync = (path, options) => {
  step('before', path);
  rmSync(path, options);
  step('after', path);
};
fs.openSync = (path, flags, mode) => {
  step('before', path);
  return openSync(path, flags, mode);
};
fs.promises.rename = async (from, to) => {
  step('before', to);
  await rename(from, to);
  step('after', to);
};
fs.promises.link = async (from, to) => {
  step('before', to);
  await link(from, to);
  step('after', to);
};
fs.promises.rm = async (path, options) => {
  step('before', path);
  await rm(path, options);
  step('after', path);
};
fs.promises.writeFile = async (path, content, options) => {
  step('before', path);
  await writeFile(path, content, options);
  step('after', path);
};
syncBuiltinESMExports();
