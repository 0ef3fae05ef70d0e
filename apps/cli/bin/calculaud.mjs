#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/main.js', import.meta.url);
const prepare = new URL('../../../scripts/prepare.sh', import.meta.url);

// A fresh checkout builds itself once. A build that is there is left alone: it fits the system that runs beside it.
if (!existsSync(built) && existsSync(prepare)) {
  spawnSync('sh', [fileURLToPath(prepare)], { stdio: ['ignore', 2, 2] });
}
await import(built.href);
