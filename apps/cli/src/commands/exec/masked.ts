import { maskPassword } from '@calculaud/config/mask';

const MASK = '********';
/** What a name has in it when its value is nobody's business. */
const SECRET =
  '[\\w.-]*(?:passw(?:or)?d|passphrase|secret|token|credential|api[_-]?key|access[_-]?key)[\\w.-]*';

/** A command line for people, without the secrets that stand in it as far as they can be recognised. */
export function maskedCommand(argv: readonly string[]): string {
  return argv
    .map((argument, index) => {
      const before = argv[index - 1] ?? '';
      const isValue = new RegExp(`^--?${SECRET}$`, 'i').test(before) && !argument.startsWith('-');
      return quoted(isValue ? MASK : masked(argument));
    })
    .join(' ');
}

function masked(text: string): string {
  return (
    text
      // PGPASSWORD=x, --token=x, "password": "x"
      .replaceAll(new RegExp(`(${SECRET}"?\\s*[=:]\\s*)("[^"]*"|'[^']*'|[^\\s&;"']+)`, 'gi'), `$1${MASK}`)
      // --token x, within the text of a shell
      .replaceAll(new RegExp(`(--${SECRET}\\s+)(?!-)("[^"]*"|'[^']*'|[^\\s;"']+)`, 'gi'), `$1${MASK}`)
      // alter role … password 'x'
      .replaceAll(/(password\s+)('(?:[^']|'')*'|\$\$.*?\$\$)/gi, `$1${MASK}`)
      // Authorization: Bearer x
      .replaceAll(/(\b(?:bearer|basic)\s+)[\w.~+/=-]+/gi, `$1${MASK}`)
      .replaceAll(/\bcal_[\w-]+/g, `cal_${MASK}`)
      .replaceAll(/[a-z][a-z\d+.-]*:\/\/[^\s'"]+/gi, maskPassword)
  );
}

/** As a shell would have to be given it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./*-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
