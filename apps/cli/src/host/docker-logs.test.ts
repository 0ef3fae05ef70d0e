import { expect, test } from 'vitest';
import { linesOfLog } from './docker-logs.ts';

const AT = '2026-11-23T17:32:24.542851380Z';
const WHERE =
  'com.docker.swarm.node.id=n1,com.docker.swarm.service.id=s1,com.docker.swarm.task.id=t1,label=a%3Db%2Cc';

function piece(kind: number, text: string): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

async function linesOf(bytes: Buffer, size: number) {
  async function* cut() {
    for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
  }
  const lines = [];
  for await (const line of linesOfLog(cut())) lines.push(line);
  return lines;
}

// A chunk ends wherever the network cuts, also within a header or a character.
test.each([1, 7, 50, 10_000])('lines come out whole from chunks of %i bytes', async (size) => {
  const bytes = Buffer.concat([
    piece(1, `${AT} ${WHERE} {"msg":"Grüße  aus\tdem Haus"}\n`),
    piece(2, `${AT} ${WHERE} \n`),
    piece(3, 'Error grabbing logs: node n2 is not available'),
  ]);
  expect(await linesOf(bytes, size)).toEqual([
    { at: AT, stream: 'stdout', task: 't1', node: 'n1', text: '{"msg":"Grüße  aus\tdem Haus"}' },
    { at: AT, stream: 'stderr', task: 't1', node: 'n1', text: '' },
    { complaint: 'Error grabbing logs: node n2 is not available' },
  ]);
});

test('an end in the middle of a line gives what was whole', async () => {
  const bytes = piece(1, `${AT} ${WHERE} whole\n`);
  const broken = piece(1, `${AT} ${WHERE} broken off\n`).subarray(0, 40);
  expect(await linesOf(Buffer.concat([bytes, broken]), 64)).toHaveLength(1);
});
