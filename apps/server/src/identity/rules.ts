import type { Role } from '@calculaud/contract/permissions';

/** The claims of a token whose signature and times are in order. */
export type Claims = Readonly<Record<string, unknown>>;

export interface RoleNames {
  /** A flat name such as `role` or `cognito:groups`, not a path. */
  readonly roleClaim: string;
  readonly adminRole: string;
  readonly userRole: string;
}

/** The role that the claims give: a text is one role, a list is several, anything else is none. Names compare exactly. */
export function roleOf(claims: Claims, { roleClaim, adminRole, userRole }: RoleNames): Role | undefined {
  const claim = own(claims, roleClaim);
  const roles: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  if (roles.includes(adminRole)) {
    return 'admin';
  }
  return roles.includes(userRole) ? 'user' : undefined;
}

/**
 * Why the token is not meant for us; undefined when it is. A token that names audiences must name ours. One without
 * (access tokens of Cognito) must name our client where an audience is configured, and is taken where none is.
 */
export function audienceRefusal(claims: Claims, ours: string | undefined): string | undefined {
  const given = own(claims, 'aud') ?? (ours === undefined ? undefined : own(claims, 'client_id'));
  if (ours === undefined) {
    return given === undefined
      ? undefined
      : 'The token names an audience (aud), and this server has none configured';
  }
  const named = Array.isArray(given) ? given.includes(ours) : given === ours;
  return named ? undefined : 'The token is meant for another audience (aud)';
}

export interface Person {
  readonly subject: string;
  readonly name: string;
  readonly email: string | null;
}

/** OpenID Connect allows 255; a longer one would not fit an index. */
const MAX_SUBJECT = 255;
const MAX_NAME = 255;

/**
 * Whom the claims name; undefined when the subject cannot be stored. v1 did not ask for `sub`: without it the next best
 * claim identifies, marked by its name so that it never equals somebody's `sub`.
 */
export function personOf(claims: Claims): Person | undefined {
  const subject =
    textOf(claims, 'sub') ??
    ['client_id', 'preferred_username', 'email']
      .map((name) => [name, textOf(claims, name)] as const)
      .filter(([, text]) => text !== undefined)
      .map(([name, text]) => `${name}|${text}`)[0] ??
    '';
  if (subject.length > MAX_SUBJECT || subject !== storable(subject)) {
    return undefined;
  }
  const fullName = [textOf(claims, 'given_name'), textOf(claims, 'family_name')].filter(Boolean).join(' ');
  const name =
    textOf(claims, 'name') ??
    (fullName || undefined) ??
    textOf(claims, 'preferred_username') ??
    textOf(claims, 'email') ??
    (subject || 'Unnamed');
  const email = textOf(claims, 'email');
  return {
    subject: `${textOf(claims, 'iss') ?? ''}|${subject}`,
    name: shown(name),
    email: email === undefined ? null : shown(email),
  };
}

function shown(text: string): string {
  return storable([...text].slice(0, MAX_NAME).join(''));
}

/** PostgreSQL stores neither NUL nor half a surrogate pair. */
function storable(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed();
}

/** The claim as text, when it is a text with something in it, or a number. */
function textOf(claims: Claims, name: string): string | undefined {
  const claim = own(claims, name);
  if (typeof claim === 'number') {
    return String(claim);
  }
  return typeof claim === 'string' && claim.trim() !== '' ? claim : undefined;
}

/** A claim may be called like a member that every object has. */
function own(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}
