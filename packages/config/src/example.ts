import { dependentDefaults, withDefaults } from './defaults.ts';
import { mask } from './mask.ts';
import { aboutSetting, schema, settingNames } from './schema.ts';

/** A `.env` file that names every setting with its default, all commented out: a copy of it changes nothing. */
export function renderExample(): string {
  const alone = schema.parse({});
  const defaults = withDefaults(
    alone,
    dependentDefaults(alone, () => false),
  );
  const settings = settingNames.map((name) => {
    const { description, secret } = aboutSetting(name);
    return `# ${description}${secret ? ` (or a file: ${name}_FILE)` : ''}\n#${name}=${mask(defaults[name], secret) ?? ''}\n`;
  });
  return `${HEADER}\n${settings.join('\n')}`;
}

const HEADER = `# The settings of Calculaud. Copy this file to .env and take the # off the lines that you change; variables of the
# environment win over the file. \`calculaud config show\` prints what is in effect and where it came from.
# Written by \`npm run gen\`.
`;
