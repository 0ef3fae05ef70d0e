import type { CommandGroup } from '../../command.ts';

const environmentFlags = [
  { flags: '--to <environment>', description: 'the environment of calculaud.<name>.yml' },
  { flags: '--file <file>', description: 'its configuration (calculaud.yml)' },
];
const publicKeyFlag = {
  flags: '--key <file>',
  description: 'the public key of those who made it (offline.key of the configuration)',
};

export const bundleCommands: CommandGroup = {
  verb: 'bundle',
  description: 'Carry a version to a site without a network: images, migrations, manual, in one signed file.',
  commands: [
    {
      usage: 'key <name>',
      description:
        'Make a pair of keys: <name>.key, which signs bundles and stays with those who make them, and <name>.pub, which ' +
        'sites know them by. Prints the line for offline.key of a calculaud.yml.',
      examples: [['calculaud bundle key release', 'once, where bundles are made']],
      load: () => import('./key.ts'),
    },
    {
      usage: 'create',
      description:
        'Write one signed file with everything that an environment is made of. Fetches images that the Docker of this ' +
        'machine does not have. The file is read again and checked before it gets its name.',
      options: [
        ...environmentFlags,
        {
          flags: '--key <file>',
          description: 'the private key to sign with; a file that only its owner may read',
          required: true,
        },
        {
          flags: '--sbom <file...>',
          description: 'the lists of the parts of the images (CycloneDX): sbom.cdx.json of the release',
          required: true,
        },
        { flags: '--out <file>', description: 'what to write (calculaud-<version>.bundle.tar)' },
        {
          flags: '--docker <address>',
          description: 'the Docker that has or fetches the images (unix:///var/run/docker.sock)',
        },
        { flags: '--dry-run', description: 'only say what would be in it; ends with 2' },
      ],
      examples: [
        [
          'calculaud bundle create --to site --key release.key --sbom sbom.cdx.json',
          'the version that calculaud.site.yml names',
        ],
      ],
      load: () => import('./create.ts'),
    },
    {
      usage: 'verify <file>',
      description:
        'Read a whole bundle and say whether it is signed, complete and unaltered, and which file is not. With --to or ' +
        '--file also whether that environment finds all of its images in it. Ends with 2 when something is wrong.',
      options: [publicKeyFlag, ...environmentFlags],
      examples: [
        ['calculaud bundle verify calculaud-1.0.0.bundle.tar --key release.pub', 'on any machine'],
        ['calculaud bundle verify calculaud-1.0.0.bundle.tar --to site', 'for a site, with its key'],
      ],
      load: () => import('./verify.ts'),
    },
    {
      usage: 'load <file>',
      description:
        'Verify a bundle, then load what is missing of its images into the Docker of every host of the environment, and ' +
        'ask each whether it has them. Starts nothing: that is what `calculaud deploy` does afterwards.',
      options: [
        publicKeyFlag,
        ...environmentFlags,
        {
          flags: '--dry-run',
          description: 'only say what would be loaded; ends with 2 when there is something',
        },
        { flags: '--yes', description: 'do not ask before a name is taken from another image' },
        { flags: '--wait <seconds>', description: 'for a deployment that is under way (0)' },
      ],
      examples: [
        ['calculaud bundle load calculaud-1.0.0.bundle.tar --dry-run', 'what is missing where'],
        [
          'calculaud bundle load calculaud-1.0.0.bundle.tar && calculaud deploy',
          'an upgrade without a network',
        ],
      ],
      load: () => import('./load.ts'),
    },
  ],
};
