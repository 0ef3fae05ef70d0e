import { fingerprint, keyLine, newKeyPair, readPublicKey } from '../../bundle/signature.ts';
import type { Run } from '../../command.ts';
import { writeKeyPair } from '../../host/key-file.ts';
import { EXIT } from '../../ui/exit-codes.ts';

export const run: Run = async ({ terminal, arguments: [name = ''] }) => {
  const pair = newKeyPair();
  const paths = { privateKey: `${name}.key`, publicKey: `${name}.pub` };
  await writeKeyPair(paths, pair);
  const key = readPublicKey(pair.publicKey, paths.publicKey);
  terminal.say(`+ ${paths.privateKey}  signs bundles; keep it, and show it to nobody`);
  terminal.say(`+ ${paths.publicKey}  fingerprint ${fingerprint(key)}`);
  terminal.say('For calculaud.yml of a site without a network: offline: { key: <the line below> }');
  const members = {
    private_key: paths.privateKey,
    public_key: paths.publicKey,
    fingerprint: fingerprint(key),
  };
  terminal.yieldValue('bundle_key', members, { key: keyLine(key) });
  return EXIT.done;
};
