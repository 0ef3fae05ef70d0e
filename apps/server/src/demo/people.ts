/** Those who act in the demonstration. */
export interface Person {
  /** Ends the subject of the principal. */
  readonly key: string;
  readonly name: string;
}

/** File purposes, add purchases, place orders. */
export const officers: readonly Person[] = [
  { key: 'dana.shaked', name: 'Dana Shaked' },
  { key: 'omer.tal', name: 'Omer Tal' },
  { key: 'rivka.azulay', name: 'רבקה אזולאי' },
];

const it: readonly Person[] = [
  { key: 'amir.haddad', name: 'Amir Haddad' },
  { key: 'lior.benami', name: 'ליאור בן־עמי' },
];
const finance: readonly Person[] = [
  { key: 'noa.regev', name: 'Noa Regev' },
  { key: 'michael.stern', name: 'Michael Stern' },
];
const security: readonly Person[] = [{ key: 'yael.navon', name: 'Yael Navon' }];

export const people: readonly Person[] = [...officers, ...it, ...finance, ...security];

/** By the ids of the reference data. */
const staff: Readonly<Record<number, readonly Person[]>> = { 1: it, 2: finance, 3: security };

/** Who completes stages for an authority; without one of the reference data the officers do it themselves. */
export function staffOf(authorityId: number | null): readonly Person[] {
  return (authorityId === null ? undefined : staff[authorityId]) ?? officers;
}
